package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// sprayers are clients that try one password after the other at names of their own, each from a network of its own, as fast
// as they are answered.
const sprayers = 16

// sprayFigures are logins of people while others guess at other accounts of the same tenant.
type sprayFigures struct {
	Quiet   timing `json:"quiet"`   // FloorP50 and FloorP99 are not measured
	Sprayed timing `json:"sprayed"` // by sprayers that were just met
	Settled timing `json:"settled"` // by the same, once their networks have to wait
	Guesses int64  `json:"guesses_looked_at"`
	Turned  int64  `json:"guesses_turned_away"`
}

// measureSpray: a person signs in again and again, in quiet and under a spray.
func (b *bench) measureSpray(ctx context.Context) error {
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, 1); err != nil {
			return err
		}
		t := b.tenants[0]
		f := &sprayFigures{}
		b.report.Spray = f
		for i, into := range []*timing{&f.Quiet, &f.Sprayed, &f.Settled} {
			if i == 1 {
				stop := b.spray(ctx, r, t, f)
				defer stop()
			}
			took, err := b.signInCalmly(ctx, r, t)
			if err != nil {
				return err
			}
			*into = newTiming(took, nil)
		}
		return nil
	})
}

// signInCalmly is one person's logins, with a pause after each.
func (b *bench) signInCalmly(ctx context.Context, r *replica, t tenant) (all []time.Duration, err error) {
	for range b.calm {
		took, shed, err := login(ctx, r, &t)
		if err != nil {
			return nil, err
		}
		if shed > 0 {
			took += shed // who is told to come back has waited that long, too
		}
		all = append(all, took)
		wait(ctx, 50*time.Millisecond)
	}
	return all, nil
}

// spray begins and returns how to end it.
func (b *bench) spray(ctx context.Context, r *replica, t tenant, f *sprayFigures) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range sprayers {
		from := clientFrom(1<<15 + i)
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Appendf(nil, `{"email":"sprayed-%d-%d@people.example","password":"not the right passphrase"}`, i, n)
				a, err := call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: body, from: from}.do(ctx)
				switch {
				case err != nil:
					return
				case a.status == http.StatusUnauthorized:
					atomic.AddInt64(&f.Guesses, 1)
				default:
					atomic.AddInt64(&f.Turned, 1)
					wait(ctx, 10*time.Millisecond) // a sprayer that does not listen is a flood, which is another matter
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}
