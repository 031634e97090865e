package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// crowdSize is how many clients the storm of the one tenant has. They ask as fast as they are answered; told to come back
// later, they do so in 10 ms.
const crowdSize = 64

// fairPhase is what happened to everybody in one kind of weather.
type fairPhase struct {
	mu                 sync.Mutex
	logins, refreshes  []time.Duration // of the others' people
	lost               int             // their requests that were not answered 200
	served, told, shed int             // the storm's: answered 200, 429, and anything else
	wall               time.Duration
}

// measureFair: people of a few tenants sign in and refresh with pauses, in quiet, while one other tenant storms with
// logins, with refreshes, and with what costs next to nothing. The four take turns.
func (b *bench) measureFair(ctx context.Context) error {
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, 1+b.fairOthers); err != nil {
			return err
		}
		stormy, others := b.tenants[0], b.tenants[1:1+b.fairOthers]
		crowd, err := b.gather(ctx, r, stormy)
		if err != nil {
			return err
		}
		phases := [4]*fairPhase{{}, {}, {}, {}}
		for range b.fairRounds {
			for i, storm := range []func(context.Context, *fairPhase, *tenant){
				nil, // quiet
				func(ctx context.Context, p *fairPhase, t *tenant) { p.stormLogins(ctx, r, t) },
				func(ctx context.Context, p *fairPhase, t *tenant) { p.stormRefreshes(ctx, r, t) },
				func(ctx context.Context, p *fairPhase, t *tenant) { p.stormTrifles(ctx, r, t) },
			} {
				if err := b.weather(ctx, r, phases[i], storm, crowd, others); err != nil {
					return err
				}
			}
		}
		b.report.Fair = newFairFigures(phases)
		return nil
	})
}

// gather gives the tenant a user for each client of the storm, so that no account's own limits are what is measured.
func (b *bench) gather(ctx context.Context, r *replica, t tenant) ([]tenant, error) {
	all := make([]tenant, crowdSize)
	return all, each(ctx, 2, crowdSize, func(i int) error {
		u := t
		u.slug = fmt.Sprintf("%s-%02d", t.slug, i) // makes the address
		err := u.newUser(ctx, r)
		all[i] = u
		return err
	})
}

// weather runs one phase for its time.
func (b *bench) weather(ctx context.Context, r *replica, p *fairPhase, storm func(context.Context, *fairPhase, *tenant), crowd, others []tenant) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stormCtx, calm := context.WithCancel(ctx)
	var storming, people sync.WaitGroup
	defer storming.Wait()
	defer calm()
	if storm != nil {
		for i := range crowd {
			storming.Go(func() { storm(stormCtx, p, &crowd[i]) })
		}
		wait(ctx, time.Second) // it has begun
	}
	began := time.Now()
	for i := range others {
		people.Go(func() {
			for time.Since(began) < b.fairFor && ctx.Err() == nil {
				if err := p.person(ctx, r, &others[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	people.Wait()
	p.wall += time.Since(began)
	return context.Cause(ctx)
}

// person signs in and refreshes four times, with a pause after each.
func (p *fairPhase) person(ctx context.Context, r *replica, t *tenant) error {
	token, err := p.one(ctx, &p.logins, call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: t.login})
	for range 4 {
		if err != nil || token == "" {
			break
		}
		token, err = p.one(ctx, &p.refreshes, refreshOf(r, t, token))
	}
	return err
}

func refreshOf(r *replica, t *tenant, token string) call {
	return call{method: http.MethodPost, url: r.url + "/v1/auth/refresh", host: t.host, body: fmt.Appendf(nil, `{"refresh_token":%q}`, token)}
}

// one is a request of a person; without a token it was lost.
func (p *fairPhase) one(ctx context.Context, into *[]time.Duration, c call) (token string, err error) {
	began := time.Now()
	a, err := c.do(ctx)
	took := time.Since(began)
	if err != nil {
		return "", err
	}
	var g granted
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, &g); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	*into = append(*into, took)
	if g.RefreshToken == "" {
		p.lost++
	}
	p.mu.Unlock()
	wait(ctx, 25*time.Millisecond)
	return g.RefreshToken, nil
}

func (p *fairPhase) stormLogins(ctx context.Context, r *replica, t *tenant) {
	for ctx.Err() == nil {
		p.strike(ctx, call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: t.login})
	}
}

func (p *fairPhase) stormRefreshes(ctx context.Context, r *replica, t *tenant) {
	token := ""
	for ctx.Err() == nil {
		c := call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: t.login}
		if token != "" {
			c = refreshOf(r, t, token)
		}
		token = cmp.Or(p.strike(ctx, c), token)
	}
}

// stormTrifles asks for public keys and with tokens that are none.
func (p *fairPhase) stormTrifles(ctx context.Context, r *replica, t *tenant) {
	for ctx.Err() == nil {
		p.strike(ctx, call{method: http.MethodGet, url: r.url + "/.well-known/jwks.json", host: t.host})
		if a, err := (call{method: http.MethodGet, url: r.url + "/v1/users/me/profile", host: t.host, bearer: "none"}).do(ctx); err == nil && a.status == http.StatusUnauthorized {
			p.mu.Lock()
			p.served++
			p.mu.Unlock()
		}
	}
}

// strike is a request of the storm.
func (p *fairPhase) strike(ctx context.Context, c call) (token string) {
	a, err := c.do(ctx)
	if err != nil {
		return ""
	}
	var g granted
	p.mu.Lock()
	switch a.status {
	case http.StatusOK:
		p.served++
	case http.StatusTooManyRequests:
		p.told++
	default:
		p.shed++
	}
	p.mu.Unlock()
	if a.status != http.StatusOK {
		wait(ctx, 10*time.Millisecond)
		return ""
	}
	_ = json.Unmarshal(a.body, &g)
	return g.RefreshToken
}
