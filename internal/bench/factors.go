package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"
)

// account is a user with an authenticator app and a security key, who is signed in.
type account struct {
	tenant *tenant
	token  string
	secret string // of the app
	key    *authenticator
}

// newAccounts makes n users with both factors, spread over tenants, some at a time.
func newAccounts(ctx context.Context, r *replica, n int, among []tenant) ([]*account, error) {
	all := make([]*account, n)
	for i := range among {
		if err := longTokens(ctx, r, &among[i]); err != nil {
			return nil, err
		}
	}
	return all, each(ctx, 4, n, func(i int) (err error) {
		all[i], err = newAccount(ctx, r, &among[i%len(among)], fmt.Sprintf("factors-%04d", i))
		return err
	})
}

// longTokens has access tokens of the tenant outlast the measurement.
func longTokens(ctx context.Context, r *replica, t *tenant) error {
	at := call{method: http.MethodGet, url: r.url + "/v1/settings", host: t.host, key: t.key}
	var settings map[string]any
	if err := ask(ctx, at, nil, http.StatusOK, &settings); err != nil {
		return err
	}
	settings["tokens"].(map[string]any)["access_seconds"] = 3600
	at.method = http.MethodPut
	return ask(ctx, at, settings, http.StatusOK, nil)
}

func newAccount(ctx context.Context, r *replica, t *tenant, name string) (*account, error) {
	a := &account{tenant: t}
	email := name + "@" + t.slug + ".example"
	err := ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/users", host: t.host, key: t.key, once: name},
		map[string]any{"email": email, "name": "Somebody", "password": password, "email_verified": true}, http.StatusCreated, nil)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *replica) error{
		func(ctx context.Context, r *replica) error {
			return a.grant(ctx, a.call(r, "/v1/auth/login"), map[string]any{"email": email, "password": password})
		},
		a.enrolApp,
		func(ctx context.Context, r *replica) error { // a key is added only by who proves the app
			challenge, err := a.stepUp(ctx, r)
			if err != nil {
				return err
			}
			return a.grant(ctx, a.call(r, "/v1/auth/mfa/challenge"), a.codeBody(challenge, time.Now().Add(30*time.Second)))
		},
		a.enrolKey,
	} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// call is a request of the account's, without a body.
func (a *account) call(r *replica, path string) call {
	return call{method: http.MethodPost, url: r.url + path, host: a.tenant.host, bearer: a.token}
}

// grant makes a request that ends in a token, and keeps the token.
func (a *account) grant(ctx context.Context, c call, in any) error {
	var granted struct {
		Token string `json:"token"`
	}
	c.bearer = ""
	err := ask(ctx, c, in, http.StatusOK, &granted)
	if err == nil && granted.Token == "" {
		err = fmt.Errorf("%s gave no token", c.url)
	}
	a.token = granted.Token
	return err
}

func (a *account) enrolApp(ctx context.Context, r *replica) error {
	var made struct {
		Secret string `json:"secret"`
	}
	if err := ask(ctx, a.call(r, "/v1/users/me/mfa/totp"), nil, http.StatusCreated, &made); err != nil {
		return err
	}
	a.secret = made.Secret
	code, err := totp.GenerateCode(a.secret, time.Now())
	if err != nil {
		return err
	}
	return ask(ctx, a.call(r, "/v1/users/me/mfa/totp/verify"), map[string]any{"code": code}, http.StatusOK, nil)
}

func (a *account) enrolKey(ctx context.Context, r *replica) (err error) {
	if a.key, err = newAuthenticator(); err != nil {
		return err
	}
	var asked struct {
		Options struct {
			Challenge string `json:"challenge"`
			RP        struct {
				ID string `json:"id"`
			} `json:"rp"`
		} `json:"options"`
	}
	begin := a.call(r, "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido")
	if err := ask(ctx, begin, nil, http.StatusOK, &asked); err != nil {
		return err
	}
	made := a.key.register(a.origin(r), asked.Options.RP.ID, asked.Options.Challenge)
	return ask(ctx, a.call(r, "/v1/users/me/mfa/webauthn/register/complete"),
		map[string]any{"credential": made, "device_name": "Key", "method_type": "webauthn_fido"}, http.StatusOK, nil)
}

// origin is the tenant's as browsers see it: of the first replica's port, which the public URL has.
func (a *account) origin(r *replica) string {
	return "http://" + a.tenant.host + r.url[len("http://127.0.0.1"):]
}

// stepUp begins a challenge without a password, which would be a hash.
func (a *account) stepUp(ctx context.Context, r *replica) (challenge string, err error) {
	var owed struct {
		Challenge string `json:"challenge_id"`
	}
	err = ask(ctx, a.call(r, "/v1/auth/step-up"), nil, http.StatusOK, &owed)
	return owed.Challenge, err
}

func (a *account) codeBody(challenge string, at time.Time) map[string]any {
	code, _ := totp.GenerateCode(a.secret, at) // the secret is the service's own
	return map[string]any{"challenge_id": challenge, "code": code}
}

// byCode begins a challenge and returns the request that proves it with the code of a moment.
func (a *account) byCode(ctx context.Context, r *replica, at time.Time) (call, error) {
	challenge, err := a.stepUp(ctx, r)
	if err != nil {
		return call{}, err
	}
	return a.proving(r, "/v1/auth/mfa/challenge", a.codeBody(challenge, at))
}

// byKey begins a challenge and returns the request that proves it with the security key.
func (a *account) byKey(ctx context.Context, r *replica) (call, error) {
	challenge, err := a.stepUp(ctx, r)
	if err != nil {
		return call{}, err
	}
	var asked struct {
		Options struct {
			Challenge string `json:"challenge"`
			RPID      string `json:"rpId"`
		} `json:"options"`
	}
	if err := ask(ctx, a.call(r, "/v1/auth/mfa/webauthn/begin"), map[string]any{"challenge_id": challenge}, http.StatusOK, &asked); err != nil {
		return call{}, err
	}
	signed, err := a.key.prove(a.origin(r), asked.Options.RPID, asked.Options.Challenge)
	if err != nil {
		return call{}, err
	}
	return a.proving(r, "/v1/auth/mfa/webauthn/complete", map[string]any{"challenge_id": challenge, "credential": signed})
}

func (a *account) proving(r *replica, path string, in any) (c call, err error) {
	c = a.call(r, path)
	c.bearer = ""
	c.body, err = json.Marshal(in)
	return c, err
}

// prove sends proofs, so many clients at once, and wants a token for each.
func (s *stack) prove(ctx context.Context, r *replica, clients int, proofs []call) (done stretch, err error) {
	return s.stretch(r, clients, len(proofs), func(i int) error {
		a, err := proofs[i].do(ctx)
		if err == nil && (a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"token":"`))) {
			err = fmt.Errorf("a proof was answered %d: %s", a.status, a.body)
		}
		return err
	})
}

// stretch is how long each of some things took, and what they cost together.
type stretch struct {
	took []time.Duration
	wall time.Duration
	cost cost
}

// stretch does n things, so many at once. r is whose cost counts; nil is nobody's but Postgres's, Vault's and our own.
func (s *stack) stretch(r *replica, clients, n int, do func(i int) error) (done stretch, err error) {
	before, err := s.costSoFar(r)
	if err != nil {
		return done, err
	}
	done.took = make([]time.Duration, n)
	began := time.Now()
	err = each(context.Background(), clients, n, func(i int) error {
		start := time.Now()
		defer func() { done.took[i] = time.Since(start) }()
		return do(i)
	})
	done.wall = time.Since(began)
	if err != nil {
		return done, err
	}
	after, err := s.costSoFar(r)
	done.cost = after.minus(before)
	return done, err
}

// each does 0 to n-1, so many at once, until one fails.
func each(ctx context.Context, workers, n int, do func(i int) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed []error
	next := 0
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := i >= n || len(failed) > 0 || ctx.Err() != nil
				mu.Unlock()
				if stop {
					return
				}
				if err := do(i); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(failed...), ctx.Err())
}
