package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[99-i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		all   []time.Duration
		share float64
		want  time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{3, 1, 2}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := quantile(c.all, c.share); got != c.want {
			t.Errorf("quantile(%d values, %v) = %d, want %d", len(c.all), c.share, got, c.want)
		}
	}
}

func TestLoginFigures(t *testing.T) {
	t.Parallel()
	ms := func(n ...int) (all []time.Duration) {
		for _, n := range n {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	of := func(server, postgres, vault int) round {
		return round{
			logins: logins{took: ms(30, 30), shed: 1, wall: time.Second,
				cost: cost{time.Duration(server) * time.Millisecond, time.Duration(postgres) * time.Millisecond, time.Duration(vault) * time.Millisecond, 0}},
			hashed: hashed{Took: ms(20, 20), Wall: time.Second, CPU: 40 * time.Millisecond},
		}
	}
	f := newLoginFigures(4, []round{of(42, 2, 4), of(40, 4, 2)})
	if f.Count != 4 || f.Shed != 2 || f.PerSecond != 2 || f.P50 != 30 || f.CPU.Hash != 20 {
		t.Errorf("figures: %+v", f)
	}
	if f.ServerOver != [3]float64{1.025, 1, 1.05} || f.AllOver != [3]float64{1.175, 1.15, 1.2} {
		t.Errorf("over a hash: %v and %v", f.ServerOver, f.AllOver)
	}
	r := report{Logins: []loginFigures{f}}
	r.judge()
	if len(r.Goals) != 2 || !r.Goals[0].Met || r.Goals[1].Met {
		t.Errorf("goals: %+v", r.Goals)
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil || !strings.Contains(out.String(), "server over hash") || strings.Contains(out.String(), "exec to ready") {
		t.Errorf("table (%v):\n%s", err, &out)
	}
}

func TestFactorFigures(t *testing.T) {
	t.Parallel()
	of := func(wall, server, load time.Duration) stretch {
		return stretch{took: make([]time.Duration, 4), wall: wall, cost: cost{server: server, postgres: 4 * time.Millisecond, load: load}}
	}
	f := newFactorFigures("key", 2, []factorRound{
		{of(2*time.Second, 12*time.Millisecond, time.Second), of(time.Second, 0, 4*time.Millisecond)},
		{of(4*time.Second, 12*time.Millisecond, time.Second), of(time.Second, 0, 4*time.Millisecond)},
	})
	if f.Count != 8 || f.PerSecond != 8.0/6 || f.FloorPerSec != 4 || f.OfFloor[1] != 0.25 || f.OfFloor[2] != 0.5 {
		t.Errorf("figures: %+v", f)
	}
	// A proof takes 3 ms of the server and 1 of Postgres; its parts 1 and 1.
	if f.CPU.All != 4 || f.FloorCPU.All != 2 || f.FloorCPU.Load != 0 || f.OfFloorCPU != 0.5 {
		t.Errorf("CPU %+v, floor %+v, %v of it", f.CPU, f.FloorCPU, f.OfFloorCPU)
	}
	r := report{Factors: []factorFigures{f}, Abandoned: abandonedFigures{Begun: 1000, Users: 10, RowsAfter: 200}}
	r.judge()
	if len(r.Goals) != 3 || r.Goals[0].Met || r.Goals[1].Met || !r.Goals[2].Met {
		t.Errorf("goals: %+v", r.Goals)
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil || !strings.Contains(out.String(), "at least 0.60") || !strings.Contains(out.String(), "1000 challenges of 10 users") {
		t.Errorf("table (%v):\n%s", err, &out)
	}
}

func TestAnAuthenticatorSignsWhatItIsAsked(t *testing.T) {
	t.Parallel()
	a, err := newAuthenticator()
	if err != nil {
		t.Fatal(err)
	}
	proof, err := a.prove("http://acme.localhost", "acme.localhost", "Y2hhbGxlbmdl")
	if err != nil {
		t.Fatal(err)
	}
	member := func(name string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(proof["response"].(map[string]string)[name])
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	hash := sha256.Sum256(member("clientDataJSON"))
	digest := sha256.Sum256(append(member("authenticatorData"), hash[:]...))
	if !ecdsa.VerifyASN1(&a.key.PublicKey, digest[:], member("signature")) {
		t.Error("the signature does not verify")
	}
}

func TestNameServer(t *testing.T) {
	t.Parallel()
	n := &nameServer{records: map[string]string{}}
	n.set("_gatehouse-challenge.a.example", "proof")
	ask := func(name string) dnsmessage.Message {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{
			{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}}}
		query, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := n.answer(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Unpack(answer); err != nil || m.ID != 7 {
			t.Fatal(err, m.ID)
		}
		return m
	}
	if m := ask("_gatehouse-challenge.a.example."); len(m.Answers) != 1 || m.Answers[0].Body.(*dnsmessage.TXTResource).TXT[0] != "proof" {
		t.Errorf("a name with a record: %v", m.Answers)
	}
	if m := ask("_gatehouse-challenge.b.example."); m.RCode != dnsmessage.RCodeNameError {
		t.Errorf("a name without one: %v", m.RCode)
	}
}

func TestAlikeAndApart(t *testing.T) {
	t.Parallel()
	var even, odd, later []time.Duration
	for i := range 500 {
		even, odd, later = append(even, time.Duration(40_000+2*i)*time.Microsecond), append(odd, time.Duration(40_001+2*i)*time.Microsecond), append(later, time.Duration(44_000+2*i)*time.Microsecond)
	}
	if l := newLikeness(even, odd); !l.met || l.auc > 0.51 {
		t.Errorf("alike: %+v", l)
	}
	if l := newLikeness(even, later); l.met || l.auc != 1 || l.apart != 4 {
		t.Errorf("apart: %+v", l)
	}
	if got := auc([]time.Duration{1, 2}, []time.Duration{1, 2}); got != 0.5 {
		t.Errorf("of equal times: %v", got)
	}
}
