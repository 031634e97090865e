package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// sessions are of users who are signed in, by the number of their tenant. Who refreshes is not among them meanwhile.
type sessions struct {
	mu   sync.Mutex
	free map[int][]*session
}

func (s *sessions) take(tenant int) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.free[tenant]
	if len(of) == 0 {
		return nil
	}
	s.free[tenant] = of[:len(of)-1]
	return of[len(of)-1]
}

func (s *sessions) give(tenant int, one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == nil {
		s.free = map[int][]*session{}
	}
	s.free[tenant] = append(s.free[tenant], one)
}

// action is what is asked of tenants: a request, timed alone, or how long the server asked to wait.
type action struct {
	name  string
	once  func(ctx context.Context, r *replica, tenant int) (took, later time.Duration, err error)
	floor func(ctx context.Context, clients, times int) ([]time.Duration, error)
}

// actions are those that are measured, and how to end their floors.
func (f *fleet) actions(ctx context.Context) (all []action, stop func(), err error) {
	empty, err := startEmpty()
	if err != nil {
		return nil, nil, err
	}
	commits, err := f.newRefreshFloor(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, empty.stop())
	}
	stop = func() {
		commits.close(context.WithoutCancel(ctx))
		_ = empty.stop()
	}
	return []action{
		{"login", f.signInAt, f.hashFloor},
		{"refresh", f.refreshAt, timed(func(ctx context.Context) (time.Duration, error) {
			began := time.Now()
			err := commits.refresh(ctx)
			return time.Since(began), err
		})},
		{"JWKS", f.keysOf, timed(empty.ask)},
	}, stop, nil
}

// timed repeats a floor.
func timed(once func(context.Context) (time.Duration, error)) func(context.Context, int, int) ([]time.Duration, error) {
	return func(ctx context.Context, clients, times int) ([]time.Duration, error) {
		took := make([]time.Duration, times)
		return took, each(ctx, clients, times, func(i int) (err error) {
			took[i], err = once(ctx)
			return err
		})
	}
}

// hashFloor has as many hashes at a time as the server can have, about half as many as there are logins.
func (f *fleet) hashFloor(_ context.Context, clients, times int) ([]time.Duration, error) {
	const one = 25 * time.Millisecond // about
	workers := min(clients, runtime.NumCPU())
	done, err := f.hashes.run(workers, one*time.Duration(times/2/workers))
	return done.Took, err
}

func (f *fleet) signInAt(ctx context.Context, r *replica, tenant int) (took, later time.Duration, err error) {
	return login(ctx, r, &f.tenants[tenant])
}

// refreshAt goes on with a session of the tenant. Where all are in use, or later logins of the same user pushed this one
// out, another begins, which is not timed.
func (f *fleet) refreshAt(ctx context.Context, r *replica, tenant int) (took, later time.Duration, err error) {
	s := f.live.take(tenant)
	for attempt := 1; ; attempt++ {
		if s == nil {
			if s, _, err = f.begin(ctx, r, tenant); err != nil {
				return 0, 0, err
			}
		}
		var over bool
		took, later, over, err = s.goOn(ctx, r)
		if over && attempt == 1 {
			s = nil
			continue
		}
		if err == nil {
			f.live.give(tenant, s)
		}
		return took, later, err
	}
}

// goOn refreshes once. It may be that the session is over.
func (s *session) goOn(ctx context.Context, r *replica) (took, later time.Duration, over bool, err error) {
	at := call{method: http.MethodPost, url: r.url + "/v1/auth/refresh", host: s.tenant.host, body: fmt.Appendf(nil, `{"refresh_token":%q}`, s.token)}
	began := time.Now()
	a, err := at.do(ctx)
	took = time.Since(began)
	switch {
	case err != nil:
		return took, 0, false, err
	case a.status != http.StatusOK:
		later, err = a.later()
		return took, later, a.status == http.StatusUnauthorized, err
	}
	var g granted
	if err := json.Unmarshal(a.body, &g); err != nil || g.RefreshToken == "" || g.RefreshToken == s.token {
		return took, 0, false, fmt.Errorf("a refresh at %s gave no successor (%w)", s.tenant.host, err)
	}
	s.token = g.RefreshToken
	return took, 0, false, nil
}

// begin signs in until there is room.
func (f *fleet) begin(ctx context.Context, r *replica, tenant int) (*session, time.Duration, error) {
	t := &f.tenants[tenant]
	for {
		began := time.Now()
		a, err := call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: t.login}.do(ctx)
		took := time.Since(began)
		if err != nil {
			return nil, 0, err
		}
		var g granted
		if a.status == http.StatusOK && json.Unmarshal(a.body, &g) == nil && g.RefreshToken != "" {
			return &session{t, g.RefreshToken}, took, nil
		}
		later, err := a.later()
		if err != nil {
			return nil, 0, err
		}
		wait(ctx, later)
	}
}

func (f *fleet) keysOf(ctx context.Context, r *replica, tenant int) (took, later time.Duration, err error) {
	began := time.Now()
	a, err := call{method: http.MethodGet, url: r.url + "/.well-known/jwks.json", host: f.tenants[tenant].host}.do(ctx)
	took = time.Since(began)
	if err != nil || a.status == http.StatusOK && bytes.Contains(a.body, []byte(`"kid"`)) {
		return took, 0, err
	}
	later, err = a.later()
	return took, later, err
}

// introduce has a user of each tenant sign in, so that the server has met them all, and keeps the sessions.
func (f *fleet) introduce(ctx context.Context, r *replica, s *sizeOfFleet) error {
	f.live = sessions{}
	first := make([]time.Duration, len(f.tenants))
	err := each(ctx, 4, len(first), func(i int) error {
		one, took, err := f.begin(ctx, r, i)
		if err != nil {
			return err
		}
		first[i] = took
		f.live.give(i, one)
		if n := i + 1; n%2500 == 0 {
			say("%d tenants met by the server", n)
		}
		return nil
	})
	s.First = millis(quantile(first, 0.5))
	return err
}

// visitFigures are the times of one action. FloorP50 and FloorP99 are those of its floor.
type visitFigures struct {
	Action  string  `json:"action"`
	Visited visited `json:"visited"`
	Clients int     `json:"clients"`
	timing
	Later  int `json:"asked_to_wait"` // how many were, and are not in the times
	Failed int `json:"failed"`        // likewise
}

// visitAll measures every action, with tenants chosen in both ways, by one client and by four.
func (f *fleet) visitAll(ctx context.Context, r *replica, s *sizeOfFleet) error {
	actions, stop, err := f.actions(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, a := range actions {
		for _, clients := range []int{1, 4} {
			figures, err := f.visit(ctx, r, a, clients)
			if err != nil {
				return fmt.Errorf("%s, %d clients: %w", a.name, clients, err)
			}
			s.Visits = append(s.Visits, figures...)
		}
	}
	return nil
}

// visit takes rounds of an action, tenants chosen uniformly and by Zipf's law, and of its floor. Each of the three is
// first, second and last in turn, so that a trend of the machine does not go to one of them.
func (f *fleet) visit(ctx context.Context, r *replica, a action, clients int) ([]visitFigures, error) {
	times := f.times[a.name]
	if clients > 1 {
		times *= 2
	}
	var done [2]asked
	var floor []time.Duration
	ways := []visited{uniformly, zipf}
	for round := range f.rounds {
		for step := range 3 {
			if now := (round + step) % 3; now < 2 {
				some, err := f.askInOrder(ctx, r, a, clients, draw(ways[now], len(f.tenants), times, uint64(round)))
				if err != nil {
					return nil, err
				}
				done[now] = done[now].plus(some)
				continue
			}
			least, err := a.floor(ctx, clients, times)
			if err != nil {
				return nil, err
			}
			floor = append(floor, least...)
		}
	}
	var all []visitFigures
	for i, how := range ways {
		all = append(all, visitFigures{a.name, how, clients, newTiming(done[i].took, floor), done[i].later, done[i].failed})
	}
	return all, nil
}

// asked is what came of some requests.
type asked struct {
	took   []time.Duration // of those that were answered
	later  int             // were asked to wait
	failed int
}

func (a asked) plus(b asked) asked {
	return asked{append(a.took, b.took...), a.later + b.later, a.failed + b.failed}
}

// askInOrder sends requests to tenants in an order. Who is asked to wait does. A request that fails is told of and counted;
// when more than one in fifty did, it is over.
func (f *fleet) askInOrder(ctx context.Context, r *replica, a action, clients int, order []int) (all asked, err error) {
	var mu sync.Mutex
	err = each(ctx, clients, len(order), func(i int) error {
		took, later, err := a.once(ctx, r, order[i])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			say("%s: %v", a.name, err)
			if all.failed++; all.failed > len(order)/50 {
				return err
			}
		case later > 0:
			all.later++
			mu.Unlock()
			wait(ctx, later)
			mu.Lock()
		default:
			all.took = append(all.took, took)
		}
		return nil
	})
	return all, err
}
