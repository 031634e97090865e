package policyadmin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// edit is a change of one policy among all of a tenant.
type edit struct {
	action audit.Action
	policy id.Policy
	// make gives the policy as it will be, of the one there is; nil takes it away. Errors: 404 not_found, where it should be.
	make func(was *Policy) (*Policy, error)
}

// errLockedOut says why a change is refused, with the notices of the rules that would deny.
func errLockedOut(notices []string) error {
	e := problem.New(problem.KindConflict, "would_lock_out", "With this change you could not sign in or change policies any more.")
	e.Notices = notices
	return e
}

func errTooMany(what string, most int) error {
	return problem.New(problem.KindConflict, "too_many_rules", fmt.Sprintf("A tenant can have %d %s.", most, what))
}

// apply makes a change true, or refuses it. Other replicas hear of it; this one's callers forget the tenant's record besides, so that
// whoever asks here next is answered by what was just written. Errors: 404 not_found, 409 would_lock_out, 409 too_many_rules.
func (s *Store) apply(ctx context.Context, tx tenancy.Tx, by identity.Caller, e edit) error {
	rows, err := lock(ctx, tx)
	if err != nil {
		return err
	}
	all, err := parsed(rows)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(p Policy) bool { return p.ID == e.policy })
	var was *Policy
	if at >= 0 {
		was = &all[at]
	}
	now, err := e.make(was)
	if err != nil {
		return err
	}
	next := slices.DeleteFunc(slices.Clone(all), func(p Policy) bool { return p.ID == e.policy })
	if now != nil {
		next = append(next, *now)
	}
	if err := s.check(by, next); err != nil {
		return err
	}
	if now != nil {
		err = put(ctx, tx, *now)
	} else {
		err = remove(ctx, tx, e.policy)
	}
	if err != nil {
		return err
	}
	if err := tenancy.Announce(ctx, tx); err != nil {
		return err
	}
	return audit.Record(ctx, tx, e.event(by.Actor(), now, s))
}

func (e edit) event(by audit.Actor, now *Policy, s *Store) audit.Event {
	ev := audit.Event{Action: e.action, Actor: by, ResourceType: "policy", ResourceID: e.policy.String(), At: s.Now()}
	if now == nil {
		return ev
	}
	return ev.With("enabled", now.Enabled).With("mode", string(now.Mode)).With("rules", len(now.Rules))
}

// check holds the policies as they would be against the limits and against the caller.
func (s *Store) check(by identity.Caller, all []Policy) error {
	rules, text := 0, 0
	for _, p := range all {
		rules += len(p.Rules)
		for _, r := range p.Rules {
			text += len(r.Text())
		}
	}
	switch {
	case len(all) > maxPolicies:
		return errTooMany("policies", maxPolicies)
	case rules > maxRules:
		return errTooMany("rules", maxRules)
	case text > maxText:
		return errTooMany("bytes of rules", maxText)
	}
	slices.SortFunc(all, func(a, b Policy) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), strings.Compare(a.ID.String(), b.ID.String()))
	})
	if ok, notices := by.WouldRemain(compile(all), "PUT /v1/policies/{id}", "policies:write", s.Now()); !ok {
		return errLockedOut(notices)
	}
	return nil
}

// Create answers the making of a policy. Errors: 409 would_lock_out, 409 too_many_rules.
func (s *Store) Create(ctx context.Context, by identity.Caller, op tenancy.Operation, p Policy, render func(Policy) any) (json.RawMessage, error) {
	defer s.Directory.Forget(by.Tenant.ID)
	return s.Repeat.Create(ctx, by.Tenant, op, func(context.Context) (any, func(context.Context, tenancy.Tx) error, error) {
		return render(p), func(ctx context.Context, tx tenancy.Tx) error {
			return s.apply(ctx, tx, by, edit{"policy.created", p.ID, func(*Policy) (*Policy, error) { return &p, nil }})
		}, nil
	})
}

// Change makes another policy of one there is. Errors: 404 not_found, and as Create and change.
func (s *Store) Change(ctx context.Context, by identity.Caller, p id.Policy, change func(*Policy) error) (now Policy, err error) {
	defer s.Directory.Forget(by.Tenant.ID)
	err = s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		return s.apply(ctx, tx, by, s.changing(p, change, &now))
	})
	return now, err
}

// changing is the edit that Change makes.
func (s *Store) changing(p id.Policy, change func(*Policy) error, now *Policy) edit {
	return edit{"policy.updated", p, func(was *Policy) (*Policy, error) {
		if was == nil {
			return nil, problem.NotFound()
		}
		*now = *was
		now.Rules = slices.Clone(was.Rules)
		if err := change(now); err != nil {
			return nil, err
		}
		slices.SortStableFunc(now.Rules, func(a, b Rule) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		now.UpdatedAt = s.moment()
		return now, nil
	}}
}

// Delete takes a policy away. Errors: 404 not_found, 409 would_lock_out.
func (s *Store) Delete(ctx context.Context, by identity.Caller, p id.Policy) error {
	defer s.Directory.Forget(by.Tenant.ID)
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		return s.apply(ctx, tx, by, edit{"policy.deleted", p, func(was *Policy) (*Policy, error) {
			if was == nil {
				return nil, problem.NotFound()
			}
			return nil, nil
		}})
	})
}

// Reset has the default policy and no other be enforced: others are kept and switched off. It is the operator's way back for
// a tenant that has locked itself out.
func (s *Store) Reset(ctx context.Context, t tenancy.Tenant) error {
	defer s.Directory.Forget(t.ID)
	return s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		if err := disableAll(ctx, tx, s.moment()); err != nil {
			return err
		}
		p := Default()
		p.UpdatedAt = s.moment()
		if err := put(ctx, tx, p); err != nil {
			return err
		}
		if err := tenancy.Announce(ctx, tx); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "policies.reset", Actor: audit.Actor{Type: audit.ByOperator}, ResourceType: "policy", ResourceID: p.ID.String(), At: s.Now()})
	})
}
