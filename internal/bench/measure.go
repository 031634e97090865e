package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"time"
)

// measureStarts: from exec to the first /readyz that says yes, and what a server that has done nothing keeps.
func (b *bench) measureStarts(ctx context.Context) error {
	var ready, bare []time.Duration
	for range b.starts {
		began := time.Now()
		if err := exec.CommandContext(ctx, b.binary, "help").Run(); err != nil {
			return err
		}
		bare = append(bare, time.Since(began))
		err := b.serving(ctx, func(r *replica) (err error) {
			ready = append(ready, r.started)
			wait(ctx, 200*time.Millisecond)
			b.report.Memory.Idle, err = memoryOf(r.pid())
			return err
		})
		if err != nil {
			return err
		}
	}
	b.report.Ready = newTiming(ready, bare)
	return nil
}

// measureTenants: one after the other, from the request to the answer that says the tenant is usable.
func (b *bench) measureTenants(ctx context.Context) error {
	files, err := b.schemaSize(ctx)
	if err != nil {
		return err
	}
	return b.serving(ctx, func(r *replica) error {
		var took, bare []time.Duration
		for i := range b.plan.tenants {
			floor, err := b.makeFiles(ctx, i, files)
			if err != nil {
				return err
			}
			t, made, err := b.newTenant(ctx, r, len(b.tenants), "")
			if err == nil {
				err = t.newUser(ctx, r)
			}
			if err != nil {
				return err
			}
			took, bare, b.tenants = append(took, made), append(bare, floor), append(b.tenants, t)
		}
		b.report.NewTenant = newTiming(took, bare)
		return nil
	})
}

// measureDomains: from the request that proves a domain on one replica to the first answer for it on another, which
// is asked all the time and has answered 404 until then.
func (b *bench) measureDomains(ctx context.Context) error {
	return b.serving(ctx, func(first *replica) error {
		if err := b.have(ctx, first, 1); err != nil {
			return err
		}
		port, err := freePort()
		if err != nil {
			return err
		}
		second, err := b.serve(ctx, port)
		if err != nil {
			return err
		}
		defer func() { _ = second.stop() }()
		var took []time.Duration
		for i := range b.domains {
			d, err := b.newDomain(ctx, first, second, fmt.Sprintf("d%03d.customer.example", i))
			if err != nil {
				return err
			}
			took = append(took, d)
		}
		bare, err := b.notify(ctx, b.domains)
		b.report.NewDomain = newTiming(took, bare)
		return err
	})
}

func (b *bench) newDomain(ctx context.Context, first, second *replica, domain string) (time.Duration, error) {
	t := b.tenants[0]
	var claimed struct {
		ID    string `json:"id"`
		Name  string `json:"dns_record"`
		Value string `json:"dns_value"`
	}
	at := call{method: http.MethodPost, url: first.url + "/v1/domains", host: t.host, key: t.key}
	if err := ask(ctx, at, map[string]any{"domain": domain, "uses": []string{"host"}}, http.StatusCreated, &claimed); err != nil {
		return 0, err
	}
	b.names.set(claimed.Name, claimed.Value)

	there := call{method: http.MethodGet, url: second.url + "/.well-known/jwks.json", host: domain}
	if a, err := there.do(ctx); err != nil || a.status != http.StatusNotFound {
		return 0, fmt.Errorf("%s is answered %d before it is proved (%w)", domain, a.status, err)
	}
	proved := make(chan error, 1)
	began := time.Now()
	go func() {
		at.url += "/" + claimed.ID + "/verify"
		var outcome struct {
			Verified bool   `json:"verified"`
			Message  string `json:"message"`
		}
		err := ask(ctx, at, nil, http.StatusOK, &outcome)
		if err == nil && !outcome.Verified {
			err = fmt.Errorf("%s is not proved: %s", domain, outcome.Message)
		}
		proved <- err
	}()
	for time.Since(began) < 10*time.Second {
		a, err := there.do(ctx)
		if err != nil {
			return 0, err
		}
		if a.status == http.StatusOK {
			took := time.Since(began)
			return took, <-proved
		}
		wait(ctx, 500*time.Microsecond)
	}
	return 0, fmt.Errorf("%s is not served by the second replica within 10 s (%w)", domain, <-proved)
}
