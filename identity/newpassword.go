package identity

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// hash judges a new password of a user and hashes it. Every path on which a password is set comes by here, so no path has
// a rule of its own. Of the user it needs id, address and name: who is not there yet has them, too. No password has no
// hash. Errors: 400 weak_password, 503.
func (s *Users) hash(ctx context.Context, t tenancy.Tenant, u User, pw password.Password) (password.Hash, error) {
	if pw.IsZero() {
		return "", nil
	}
	if err := s.judge(ctx, t, u, pw); err != nil {
		return "", err
	}
	hash, err := s.Hasher.Hash(ctx, t.ID, u.ID, pw, pepper(s.Keys, t))
	return hash, err
}

func (s *Users) judge(ctx context.Context, t tenancy.Tenant, u User, pw password.Password) error {
	set, err := s.Settings.Of(ctx, t)
	if err != nil {
		return err
	}
	hosts, err := s.Hosts.Of(ctx, t)
	if err != nil {
		return err
	}
	err = password.Policy{MinLength: set.MinLength(), Breaches: s.Breaches}.Check(pw, wordsOf(t, hosts, u))
	var weak *password.WeakError
	switch {
	case errors.As(err, &weak):
		return weakPassword(weak)
	case err != nil: // whether it was breached cannot be told, and the operator wants to know before it is taken
		return problem.Unavailable(time.Minute, err)
	}
	return nil
}

// wordsOf are the words an attacker tries first for an account.
func wordsOf(t tenancy.Tenant, hosts []tenancy.Host, u User) (w password.Words) {
	w.User = []string{string(u.Email), u.Name}
	w.Tenant = []string{string(t.Slug), t.Name, string(t.PrimaryDomain)}
	for _, h := range hosts {
		w.Tenant = append(w.Tenant, string(h))
	}
	return w
}

// weakPassword says why as data: a client can say it in the user's language, and beside what is typed.
func weakPassword(w *password.WeakError) error {
	return problem.New(problem.KindInvalid, "weak_password", "This password is too easy to guess.").
		Detail("fields", map[string]string{"password": w.Error()}).
		Detail("reasons", w.Reasons).
		Detail("min_length", w.Min)
}
