package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const password = "a long enough passphrase"

// tenant is one that was made here, and the user who signs in.
type tenant struct {
	id, slug, host, key string
	login               []byte // the body of a login of its user
}

// newTenant makes a tenant by the API. The names are the same in every run, so that runs can be compared.
// With once set the call may be repeated.
func (s *stack) newTenant(ctx context.Context, r *replica, number int, once string) (t tenant, took time.Duration, err error) {
	t.slug = fmt.Sprintf("bench-%04d", number)
	var made struct {
		ID     string `json:"id"`
		Domain string `json:"primary_domain"`
		Key    string `json:"admin_api_key"`
	}
	began := time.Now()
	err = ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/tenants", host: "localhost", key: s.facts.Platform.APIKey, once: once},
		map[string]string{"name": t.slug, "slug": t.slug}, http.StatusCreated, &made)
	t.id, t.host, t.key = made.ID, made.Domain, made.Key
	return t, time.Since(began), err
}

// newUser gives the tenant its user.
func (t *tenant) newUser(ctx context.Context, r *replica) error {
	email := "somebody@" + t.slug + ".example"
	t.login = fmt.Appendf(nil, `{"email":%q,"password":%q}`, email, password)
	return ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/users", host: t.host, key: t.key, once: t.slug},
		map[string]any{"email": email, "name": "Somebody", "password": password, "email_verified": true}, http.StatusCreated, nil)
}

// grow makes tenants with a user each, two at a time, until there are n.
func (s *stack) grow(ctx context.Context, r *replica, all []tenant, n int) ([]tenant, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed []error
	next := len(all)
	for range 2 {
		wg.Go(func() {
			for {
				mu.Lock()
				number := next
				next++
				stop := number >= n || len(failed) > 0
				mu.Unlock()
				if stop {
					return
				}
				t, _, err := s.newTenant(ctx, r, number, fmt.Sprint("tenant-", number))
				if err == nil {
					err = t.newUser(ctx, r)
				}
				mu.Lock()
				if err != nil {
					failed = append(failed, err)
				} else {
					all = append(all, t)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all, errors.Join(failed...)
}
