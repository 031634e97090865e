package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const wrongPassword = "not the right passphrase"

// clock is a time that stands still until the test moves it: a wait of two seconds must not end while a busy machine
// hashes.
type clock struct {
	began time.Time
	ahead atomic.Int64
}

func (c *clock) now() time.Time          { return c.began.Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// clocked is a platform on the shared installation whose time the test moves, with a tenant of its own.
func clocked(t *testing.T) (testTenant, *clock) {
	t.Helper()
	c := &clock{began: time.Now()}
	return startOn(t, sharedPlatform(t).install, c.runs).newTenant(t), c
}

// runs makes a platform live in this time. Mails are left to the platform that the others share, where tests look for them.
func (c *clock) runs(cfg *config) { cfg.now, cfg.Mail = c.now, mailConfig{} }

// told waits for the mails of locks to an address, and wants so many and no more.
func (tt testTenant) told(t *testing.T, email string, n int) {
	t.Helper()
	eventually(t, 30*time.Second, "mails are sent", func() bool { return tt.count(t, `select count(*) from mails where address = $1`, email) == 0 })
	all := sharedPlatform(t).mails.Mails(email)
	for _, m := range all {
		if !strings.HasPrefix(m.Subject, "Many failed attempts") {
			t.Errorf("a mail about %q", m.Subject)
		}
	}
	if len(all) != n {
		t.Errorf("%d mails to %s, want %d", len(all), email, n)
	}
}

// loginFrom is a login from a network of a number, tried again while a busy machine sheds it.
func (tt testTenant) loginFrom(tb testing.TB, network int, email, pw string) (a answer) {
	tb.Helper()
	rq := request{method: "POST", host: tt.host, path: "/v1/auth/login", from: fmt.Sprintf("127.1.0.%d", network), body: map[string]any{"email": email, "password": pw}}
	eventually(tb, time.Minute, "a login is answered", func() bool {
		a = tt.do(tb, rq)
		return a.status != 503
	})
	return a
}

// fail fails logins until the first that has to wait, and returns how many were looked at.
func (tt testTenant) fail(tb testing.TB, email string) (looked int) {
	tb.Helper()
	for a := tt.loginFrom(tb, 1, email, wrongPassword); a.status != 429; a = tt.loginFrom(tb, 1, email, wrongPassword) {
		if a.want(tb, 401, "invalid_credentials"); looked > 20 {
			tb.Fatal("there is no end to it")
		}
		looked++
	}
	return looked
}

// overloaded reports an answer that asks to come back, of a tenant or a service that has more to do than it can.
func (a answer) overloaded() bool { return a.status == 429 || a.status == 503 }

// retryAfter is the wait an answer asks for.
func (a answer) retryAfter(tb testing.TB) time.Duration {
	tb.Helper()
	n, err := strconv.Atoi(a.want(tb, 429, "rate_limited").header.Get("Retry-After"))
	if err != nil || n < 1 {
		tb.Fatalf("Retry-After %q", a.header.Get("Retry-After"))
	}
	return time.Duration(n) * time.Second
}

func TestFiveWrongPasswordsAreFreeAndARightOneForgetsThem(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	for range 2 {
		for range 5 {
			tt.loginFrom(t, 1, email, wrongPassword).want(t, 401, "invalid_credentials")
		}
		tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "")
	}
	if n := tt.count(t, `select count(*) from failures where consecutive > 0`); n != 0 {
		t.Errorf("%d counts are left after a right password", n)
	}
}

func TestAWaitIsTheSameForRightWrongAndUnknown(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	suspended, id := tt.newUser(t)
	tt.at(t, "POST", "/v1/users/"+id+"/suspend", request{key: tt.key, body: `{"active":false}`}).want(t, 200, "")
	for i, e := range []string{email, suspended, "nobody@people.example"} {
		for range 6 {
			tt.loginFrom(t, i, e, wrongPassword).want(t, 401, "invalid_credentials")
		}
	}
	right, wrong := tt.loginFrom(t, 9, email, goodPassword), tt.loginFrom(t, 9, email, wrongPassword)
	for what, a := range map[string]answer{"right": right, "wrong": wrong, "unknown": tt.loginFrom(t, 9, "nobody@people.example", wrongPassword),
		"suspended": tt.loginFrom(t, 9, suspended, goodPassword)} {
		if wait := a.retryAfter(t); wait != 2*time.Second {
			t.Errorf("%s: to wait %s", what, wait)
		}
		if d := alike(a, wrong); d != "" { // at a time that stands still, Retry-After included
			t.Errorf("%s: %s", what, d)
		}
	}
	// What came in the wait was not counted: it ends as was said, and the right password is taken.
	moved.advance(2 * time.Second)
	tt.loginFrom(t, 9, email, goodPassword).want(t, 200, "")
}

func TestTheWaitDoublesToAQuarterOfAnHourAndAHundredInARowEndIt(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	known, id := tt.newUser(t)
	for network, email := range []string{known, "nobody@people.example"} {
		want := 2 * time.Second
		for n := 1; n <= 100; n++ {
			tt.loginFrom(t, network, email, wrongPassword).want(t, 401, "invalid_credentials")
			if n <= 5 {
				continue
			}
			wait := tt.loginFrom(t, network, email, wrongPassword).retryAfter(t)
			if n == 100 {
				break
			}
			if wait > want || wait < want-time.Second {
				t.Fatalf("%s: after %d failures to wait %s, want %s", email, n, wait, want)
			}
			moved.advance(wait)
			want = min(2*want, 900*time.Second)
		}
		moved.advance(48 * time.Hour)
		tt.loginFrom(t, network, email, goodPassword).want(t, 429, "rate_limited")
	}
	tt.told(t, known, 2) // when waiting began, and when it was of no more use
	tt.at(t, "POST", "/v1/users/"+id+"/unlock", request{key: tt.key}).want(t, 204, "")
	tt.loginFrom(t, 1, known, goodPassword).want(t, 200, "")
}

func TestADayOfQuietEndsTheWaitAndNotTheCount(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	if n := tt.fail(t, email); n != 6 {
		t.Fatalf("%d were looked at, want 6", n)
	}
	moved.advance(25 * time.Hour)
	if n := tt.fail(t, email); n != 6 {
		t.Errorf("%d were looked at after a day of quiet, want 6", n)
	}
	if n := tt.count(t, `select max(consecutive) from failures`); n != 12 {
		t.Errorf("%d in a row, want 12", n)
	}
}

func TestOfFiftyWrongPasswordsAtOnceSixAreLookedAt(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	second := tt
	second.testPlatform = startOn(t, tt.install, moved.runs) // another replica
	known, _ := tt.newUser(t)
	for network, email := range []string{known, "nobody@people.example"} {
		var looked, waited atomic.Int64
		var group sync.WaitGroup
		for i := range 50 {
			at := []testTenant{tt, second}[i%2]
			group.Go(func() {
				switch a := at.loginFrom(t, network, email, wrongPassword); a.status {
				case 401:
					looked.Add(1)
				case 429:
					waited.Add(1)
				default:
					t.Errorf("got %d %s", a.status, a.body)
				}
			})
		}
		group.Wait()
		if looked.Load() != 6 || waited.Load() != 44 {
			t.Errorf("%s: %d were looked at, %d had to wait", email, looked.Load(), waited.Load())
		}
	}
	tt.told(t, known, 1)
	if n := tt.count(t, `select count(*) from audit_log where action = 'login.throttled'`); n != 2 {
		t.Errorf("%d entries, want one for each name", n)
	}
}

func TestRightPasswordsAtOnceDoNotGetIntoEachOthersWay(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	var group sync.WaitGroup
	for range 25 {
		email, _ := tt.newUser(t)
		group.Go(func() { tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "") })
	}
	group.Wait()
}

func TestANetworkFailsTwentyTimesAMinute(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	token := tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "").text("token")
	var looked atomic.Int64
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			if a := tt.loginFrom(t, 1, fmt.Sprintf("n%d@people.example", i), wrongPassword); a.status == 401 {
				looked.Add(1)
			} else {
				a.retryAfter(t)
			}
		})
	}
	group.Wait()
	if looked.Load() != 20 {
		t.Errorf("%d of 30 at once were answered, want 20", looked.Load())
	}
	if wait := tt.loginFrom(t, 1, email, goodPassword).retryAfter(t); wait > time.Minute {
		t.Errorf("to wait %s", wait)
	}
	tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token, from: "127.1.0.1"}).want(t, 200, "") // a device that is signed in
	tt.loginFrom(t, 2, email, goodPassword).want(t, 200, "")                                            // another network
	tt.newTenant(t).loginFrom(t, 1, email, goodPassword).want(t, 401, "invalid_credentials")            // another tenant
	moved.advance(time.Minute)
	tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "")
}

func TestANetworkFailsThreeHundredTimesAnHour(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	tt.exec(t, `delete from failures`)
	tt.loginFrom(t, 1, "n@people.example", wrongPassword).want(t, 401, "invalid_credentials")
	tt.exec(t, `update failures set failures = 299 where key in (select key from failures where consecutive = 0)`)
	moved.advance(time.Minute) // which ends the minute, and lets the hour count one more
	tt.loginFrom(t, 1, "m@people.example", wrongPassword).want(t, 401, "invalid_credentials")
	if wait := tt.loginFrom(t, 1, email, goodPassword).retryAfter(t); wait < 58*time.Minute || wait > time.Hour {
		t.Errorf("to wait %s", wait)
	}
	moved.advance(time.Hour)
	tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "")
}

func TestNobodysTenantIsThrottledAlike(t *testing.T) {
	t.Parallel()
	tt, _ := clocked(t)
	tp := tt.testPlatform
	login := func(email string) answer {
		return tp.do(t, request{method: "POST", path: "/v1/auth/login", from: "127.99.0.1", body: map[string]any{"email": email, "password": wrongPassword}})
	}
	email := uniqueName() + "@nowhere.example"
	for range 6 {
		login(email).want(t, 401, "invalid_credentials")
	}
	login(email).retryAfter(t)
	platform := tp.platformTenant(t)
	for i := range 14 {
		login(fmt.Sprintf("%s%d@nowhere.example", uniqueName(), i)).want(t, 401, "invalid_credentials")
	}
	login(uniqueName() + "@nowhere.example").retryAfter(t)
	// The platform's own people do not pay for it.
	platform.do(t, request{method: "POST", host: platform.host, path: "/v1/auth/login", from: "127.99.0.1",
		body: map[string]any{"email": uniqueName() + "@people.example", "password": wrongPassword}}).want(t, 401, "invalid_credentials")
}

func TestAnUnlockForgetsPasswordsAndFactors(t *testing.T) {
	t.Parallel()
	tt, _ := clocked(t)
	email, id := tt.newUser(t)
	tt.fail(t, email)
	tt.block(t, id)
	tt.at(t, "POST", "/v1/users/"+id+"/unlock", request{key: tt.key}).want(t, 204, "")
	tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "")
	if n := tt.count(t, `select count(*) from factor_failures where user_id = $1`, id); n != 0 {
		t.Error("second factors still wait")
	}
	if n := tt.count(t, `select count(*) from audit_log where action = 'user.unlocked' and resource_id = $1 and actor_type = 'api_key'`, id); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	few, _ := tt.newKey(t, "users:write")
	_, admin := tt.newUser(t, "admin")
	tt.at(t, "POST", "/v1/users/"+admin+"/unlock", request{key: few}).want(t, 403, "forbidden") // it would be guessing above its own rights
	tt.at(t, "POST", "/v1/users/"+id+"/unlock", request{key: few}).want(t, 204, "")
}

// A spray over names nobody has fills its buckets and no more; the counts of users stay.
func TestTheTableIsBoundedAndUsersStayCounted(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, id := tt.newUser(t)
	tt.loginFrom(t, 1, email, wrongPassword).want(t, 401, "invalid_credentials")
	const name = "nobody@people.example"
	tt.loginFrom(t, 1, name, wrongPassword).want(t, 401, "invalid_credentials")
	// Neighbours in the name's bucket: nearly all newer than it, and more than are kept.
	tt.exec(t, `create temporary table name as select key from failures where key >= '80000000-0000-0000-0000-000000000000' and consecutive > 0;
		insert into failures (key, failures, consecutive, since, blocked_until)
		select overlay(key::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, case when n % 40 = 0 then 9 else 1 end, 1, now() + n * interval '1 second', now()
		from name, generate_series(1, 400) n;
		insert into failures (key, failures, consecutive, since, blocked_until)
		select overlay(key::text placing repeat('f', 12) from 25)::uuid, 1, 1, now() - interval '32 days', now() from name`)
	tt.loginFrom(t, 1, name, wrongPassword).want(t, 401, "invalid_credentials")
	if n := tt.count(t, `select count(*) from failures where consecutive > 0`); n != 1+24 {
		t.Errorf("%d counts are left, want the user's and 24 of the bucket", n)
	}
	if n := tt.count(t, `select count(*) from failures where failures = 9`); n != 10 {
		t.Errorf("%d of those that have to wait are left, want all 10", n)
	}
	if n := tt.count(t, `select count(*) from failures where since < now() - interval '1 day'`); n != 0 {
		t.Error("a count that nobody has asked for in a month is kept")
	}
	if n := tt.count(t, `select failures from failures where key = $1`, id); n != 1 {
		t.Errorf("the user's count is %d, want 1", n)
	}
}

func TestTheCurrentPasswordIsCountedWithTheOthers(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	c := changing{testTenant: tt, email: email, token: tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "").text("token")}
	for range 3 {
		c.change(t, c.token, wrongPassword, betterPassword).want(t, 400, "invalid_credentials")
		tt.loginFrom(t, 1, email, wrongPassword).want(t, 401, "invalid_credentials")
	}
	c.change(t, c.token, goodPassword, betterPassword).retryAfter(t)
	tt.loginFrom(t, 1, email, goodPassword).retryAfter(t)
	moved.advance(2 * time.Second)
	c.change(t, c.token, goodPassword, betterPassword).want(t, 204, "")
	tt.loginFrom(t, 1, email, betterPassword).want(t, 200, "")
}

func TestAGoodRefreshTokenIsTakenWhateverElseItsNetworkSends(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	email, _ := tt.newUser(t)
	token := tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "").text("refresh_token")
	refresh := func(token string) answer {
		return tt.at(t, "POST", "/v1/auth/refresh", request{from: "127.1.0.1", body: jsonBody{"refresh_token": token}})
	}
	for range 60 {
		refresh("x").want(t, 401, "invalid_token")
	}
	for range 2 {
		if wait := refresh("x").retryAfter(t); wait != time.Minute {
			t.Errorf("to wait %s", wait)
		}
	}
	refresh(token).want(t, 200, "")
	tt.loginFrom(t, 1, email, goodPassword).want(t, 200, "") // it is not the passwords that fail
	moved.advance(time.Minute)
	refresh("x").want(t, 401, "invalid_token")
}
