package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// session is a user's, who refreshes it. Its token is good once.
type session struct {
	tenant *tenant
	token  string
}

type granted struct {
	RefreshToken string `json:"refresh_token"`
}

// measureRefreshes: sessions that go on, and the floor under it in turn.
func (b *bench) measureRefreshes(ctx context.Context) error {
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, b.refreshTenants); err != nil {
			return err
		}
		sessions, err := beginSessions(ctx, r, b.refreshClients[len(b.refreshClients)-1], b.tenants[:b.refreshTenants])
		if err != nil {
			return err
		}
		floor, err := b.newRefreshFloor(ctx)
		if err != nil {
			return err
		}
		defer floor.close(context.WithoutCancel(ctx))
		if _, err := b.refreshAll(ctx, r, 4, sessions); err != nil { // caches fill, statements are prepared
			return err
		}
		for _, clients := range b.refreshClients {
			rounds, err := b.alternateRefreshes(ctx, r, clients, sessions, floor)
			if err != nil {
				return err
			}
			b.report.Refreshes = append(b.report.Refreshes, newFactorFigures("refresh", clients, rounds))
		}
		return nil
	})
}

// beginSessions signs in, spread over tenants.
func beginSessions(ctx context.Context, r *replica, n int, among []tenant) (chan *session, error) {
	all := make(chan *session, n)
	return all, each(ctx, 2, n, func(i int) error {
		s := &session{tenant: &among[i%len(among)]}
		var g granted
		at := call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: s.tenant.host, body: s.tenant.login}
		err := ask(ctx, at, nil, http.StatusOK, &g)
		s.token = g.RefreshToken
		all <- s
		return err
	})
}

// alternateRefreshes takes rounds in both orders.
func (b *bench) alternateRefreshes(ctx context.Context, r *replica, clients int, sessions chan *session, floor *refreshFloor) ([]factorRound, error) {
	all := make([]factorRound, b.refreshRounds)
	for i := range all {
		x := &all[i]
		steps := []func() error{
			func() (err error) { x.proved, err = b.refreshAll(ctx, r, clients, sessions); return err },
			func() (err error) {
				x.floor, err = b.stretch(nil, clients, b.refreshes, func(int) error { return floor.refresh(ctx) })
				return err
			},
		}
		for j := range steps {
			if err := steps[(i+j)%2](); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (b *bench) refreshAll(ctx context.Context, r *replica, clients int, sessions chan *session) (stretch, error) {
	return b.stretch(r, clients, b.refreshes, func(int) error {
		s := <-sessions
		defer func() { sessions <- s }()
		return s.refresh(ctx, r)
	})
}

// refresh goes on with the session; the next refresh is with the token it got. A client that is asked to come back later
// does, with the token it has.
func (s *session) refresh(ctx context.Context, r *replica) error {
	body := fmt.Appendf(nil, `{"refresh_token":%q}`, s.token)
	at := call{method: http.MethodPost, url: r.url + "/v1/auth/refresh", host: s.tenant.host, body: body, once: "again"}
	var g granted
	if err := ask(ctx, at, nil, http.StatusOK, &g); err != nil {
		return err
	}
	if g.RefreshToken == "" || g.RefreshToken == s.token {
		return errors.New("a refresh gave no successor")
	}
	s.token = g.RefreshToken
	return nil
}
