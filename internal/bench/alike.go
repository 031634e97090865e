package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// What must be alike to whoever asks: answers of several classes that differ in what the service knows and may not tell.
// They are asked for in turn, in random order, by one client, so that whatever else the machine does strikes all alike.

// comparison is classes that must not be told apart by time; the first is what the others are held against.
type comparison struct {
	name    string
	status  int // of every answer
	classes []class
	took    map[string][]time.Duration
}

// class makes the body of its i-th request.
type class struct {
	name string
	path string
	body func(i int) map[string]string
}

// free is how many wrong passwords an account and, of logins, a network has in a minute. The tool stays within both, by
// fresh names and by fresh networks, and is treated like any other client.
const (
	freeOfAccount = 5
	freeOfNetwork = 20
)

// networks hands out loopback addresses, each a client of its own to the service.
type networks struct {
	next   int
	client *http.Client
	left   int
}

// use is a client that may fail n times more.
func (w *networks) use(ctx context.Context, r *replica, n int) (*http.Client, error) {
	if w.left < n {
		w.next++
		w.left = freeOfNetwork
		w.client = clientFrom(w.next)
		if _, err := (call{method: http.MethodGet, url: r.url + "/healthz", from: w.client}).do(ctx); err != nil { // connects
			return nil, err
		}
	}
	w.left -= n
	return w.client, nil
}

// clientFrom is a client with an address of its own.
func clientFrom(number int) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(10+number>>16), byte(number>>8), byte(number))}} //nolint:gosec // bytes of an address
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, IdleConnTimeout: time.Minute}, Timeout: 20 * time.Second}
}

// people are users of a tenant to fail logins of.
type people struct{ active, suspended, invited []string }

func (p people) of(all []string) func(int) string {
	return func(i int) string { return all[i/freeOfAccount%len(all)] }
}

// measureAlike compares what the service must not tell.
func (b *bench) measureAlike(ctx context.Context, samples int) (all []*comparison, err error) {
	err = b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, 1); err != nil {
			return err
		}
		t := b.tenants[0]
		p, err := t.populate(ctx, r, (samples+freeOfAccount-1)/freeOfAccount)
		if err != nil {
			return err
		}
		w := &networks{}
		all = []*comparison{refusals(p)}
		if err := all[0].sample(ctx, r, t, w, samples); err != nil {
			return err
		}
		waits, err := t.sampleWaits(ctx, r, w, samples)
		all = append(all, waits)
		return err
	})
	return all, err
}

// refusals are logins that fail, whatever the reason.
func refusals(p people) *comparison {
	login := func(name, secret string, who func(int) string) class {
		return class{name, "/v1/auth/login", func(i int) map[string]string { return map[string]string{"email": who(i), "password": secret} }}
	}
	nobody := func(i int) string { return fmt.Sprintf("nobody-%d@people.example", i/freeOfAccount) }
	return &comparison{name: "a login that fails (401)", status: http.StatusUnauthorized, classes: []class{
		login("wrong password", "not the right passphrase", p.of(p.active)),
		login("unknown address", "not the right passphrase", nobody),
		login("suspended, right password", password, p.of(p.suspended)),
		login("invited, no password yet", "not the right passphrase", p.of(p.invited)),
	}}
}

// sample asks for each class n times.
func (c *comparison) sample(ctx context.Context, r *replica, t tenant, w *networks, n int) error {
	c.took = map[string][]time.Duration{}
	for i := range n {
		from, err := w.use(ctx, r, len(c.classes))
		if err != nil {
			return err
		}
		for _, k := range rand.Perm(len(c.classes)) { //nolint:gosec // an order, not a secret
			if _, err := c.ask(ctx, r, t, from, c.classes[k], i); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks once, and keeps the time if the answer is the one the comparison is about.
func (c *comparison) ask(ctx context.Context, r *replica, t tenant, from *http.Client, k class, i int) (asked bool, err error) {
	text, err := json.Marshal(k.body(i))
	if err != nil {
		return false, err
	}
	began := time.Now()
	a, err := call{method: http.MethodPost, url: r.url + k.path, host: t.host, body: text, from: from}.do(ctx)
	took := time.Since(began)
	if err != nil || a.status == http.StatusServiceUnavailable {
		return false, err
	}
	if a.status != c.status {
		return false, nil
	}
	c.took[k.name] = append(c.took[k.name], took)
	return true, nil
}

// sampleWaits compares logins that have to wait, right passwords among them. An account waits for two seconds after its
// sixth failure, so accounts are brought there one after the other and asked while it lasts.
func (t tenant) sampleWaits(ctx context.Context, r *replica, w *networks, n int) (*comparison, error) {
	c := &comparison{name: "a login that has to wait (429)", status: http.StatusTooManyRequests, took: map[string][]time.Duration{}}
	for round := 0; len(c.took["wrong password"]) < n; round++ {
		known, nobody := fmt.Sprintf("waits-%d@people.example", round), fmt.Sprintf("waits-for-nobody-%d@people.example", round)
		if err := t.addUser(ctx, r, known, password); err != nil {
			return c, err
		}
		login := func(name, email, secret string) class {
			return class{name, "/v1/auth/login", func(int) map[string]string { return map[string]string{"email": email, "password": secret} }}
		}
		c.classes = []class{login("wrong password", known, "not the right passphrase"), login("right password", known, password),
			login("unknown address", nobody, "not the right passphrase")}
		from, err := w.use(ctx, r, freeOfNetwork)
		if err != nil {
			return c, err
		}
		if err := t.failAll(ctx, r, from, known, nobody); err != nil {
			return c, err
		}
		if err := c.sampleRound(ctx, r, t, from); err != nil {
			return c, err
		}
	}
	return c, nil
}

// sampleRound asks until the waits may be over.
func (c *comparison) sampleRound(ctx context.Context, r *replica, t tenant, from *http.Client) error {
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
		for _, k := range rand.Perm(len(c.classes)) { //nolint:gosec // an order, not a secret
			if asked, err := c.ask(ctx, r, t, from, c.classes[k], 0); err != nil || !asked {
				return err
			}
		}
	}
	return nil
}

// failAll fails logins of all addresses at the same time until each has to wait.
func (t tenant) failAll(ctx context.Context, r *replica, from *http.Client, emails ...string) error {
	var wg sync.WaitGroup
	failed := make([]error, len(emails))
	for i, email := range emails {
		wg.Go(func() {
			for range freeOfAccount + 1 {
				body := fmt.Appendf(nil, `{"email":%q,"password":"not the right passphrase"}`, email)
				if _, failed[i] = (call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: body, from: from}).do(ctx); failed[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// populate adds n users of each kind.
func (t tenant) populate(ctx context.Context, r *replica, n int) (p people, err error) {
	for i := range n {
		active, suspended, invited := fmt.Sprintf("active-%d@people.example", i), fmt.Sprintf("suspended-%d@people.example", i), fmt.Sprintf("invited-%d@people.example", i)
		if err := t.addUser(ctx, r, active, password); err != nil {
			return p, err
		}
		if err := t.addUser(ctx, r, invited, ""); err != nil {
			return p, err
		}
		if err := t.addSuspended(ctx, r, suspended); err != nil {
			return p, err
		}
		p.active, p.suspended, p.invited = append(p.active, active), append(p.suspended, suspended), append(p.invited, invited)
	}
	return p, nil
}

func (t tenant) addUser(ctx context.Context, r *replica, email, secret string) error {
	_, err := t.makeUser(ctx, r, email, secret)
	return err
}

func (t tenant) makeUser(ctx context.Context, r *replica, email, secret string) (id string, err error) {
	body := map[string]any{"email": email, "name": "Somebody"}
	if secret != "" {
		body["password"], body["email_verified"] = secret, true
	}
	var made struct {
		ID string `json:"id"`
	}
	err = ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/users", host: t.host, key: t.key, once: email}, body, http.StatusCreated, &made)
	return made.ID, err
}

func (t tenant) addSuspended(ctx context.Context, r *replica, email string) error {
	id, err := t.makeUser(ctx, r, email, password)
	if err != nil {
		return err
	}
	return ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/users/" + id + "/suspend", host: t.host, key: t.key},
		map[string]bool{"active": false}, http.StatusOK, nil)
}
