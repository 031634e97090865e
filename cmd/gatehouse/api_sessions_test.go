package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// refresh brings a refresh token to the tenant's host.
func (tt testTenant) refresh(tb testing.TB, token string) answer {
	tb.Helper()
	return tt.at(tb, "POST", "/v1/auth/refresh", request{body: map[string]any{"refresh_token": token}})
}

// signedIn signs a new user in.
func (tt testTenant) signedIn(tb testing.TB, roles ...string) (email, user string, a answer) {
	tb.Helper()
	email, user = tt.newUser(tb, roles...)
	return email, user, tt.login(tb, email, goodPassword).want(tb, 200, "")
}

// age moves a session's past by so much, and its future with it.
func (tt testTenant) age(tb testing.TB, token string, by time.Duration) {
	tb.Helper()
	tt.exec(tb, `update sessions set created_at = created_at - $2::interval, refreshed_at = refreshed_at - $2::interval,
		refresh_expires_at = refresh_expires_at - $2::interval, expires_at = expires_at - $2::interval where id = $1`, claimsOf(tb, token)["sid"], by)
}

// lateness makes the last refresh of a session so much older, and nothing else.
func (tt testTenant) lateness(tb testing.TB, token string, by time.Duration) {
	tb.Helper()
	tt.exec(tb, `update sessions set refreshed_at = refreshed_at - $2::interval where id = $1`, claimsOf(tb, token)["sid"], by)
}

// recorded counts the entries of an action about a user.
func (tt testTenant) recorded(tb testing.TB, action, user string) int {
	tb.Helper()
	return tt.count(tb, `select count(*) from audit_log where action = $1 and resource_id = $2`, action, user)
}

func (tt testTenant) works(tb testing.TB, token string) bool {
	tb.Helper()
	return tt.at(tb, "GET", "/v1/users/me/profile", request{bearer: token}).status == 200
}

func TestARefreshKeepsTheSessionAndRenewsTheRest(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user, first := tt.signedIn(t)
	tt.exec(t, `update users set name = 'Renamed', roles = '{admin,user}' where id = $1`, user)
	next := tt.refresh(t, first.text("refresh_token")).want(t, 200, "").
		wantMembers(t, "", "token,expires_at,refresh_token,refresh_expires_at,tenant_id")
	was, is := claimsOf(t, first.text("token")), claimsOf(t, next.text("token"))
	for _, claim := range []string{"iss", "sub", "sid", "auth_time", "acr", "tenant_id", "email"} {
		if was[claim] != is[claim] {
			t.Errorf("%s was %v and is %v", claim, was[claim], is[claim])
		}
	}
	if fmt.Sprint(was["amr"]) != fmt.Sprint(is["amr"]) || is["name"] != "Renamed" || fmt.Sprint(is["roles"]) != "[admin user]" || is["email"] != email || is["jti"] == was["jti"] {
		t.Errorf("%v became %v", was, is)
	}
	if !tt.works(t, next.text("token")) || !tt.works(t, first.text("token")) {
		t.Error("an access token lives as long as it says, whatever is refreshed")
	}
	again := tt.refresh(t, next.text("refresh_token")).want(t, 200, "")
	if tokens := []string{first.text("refresh_token"), next.text("refresh_token"), again.text("refresh_token")}; len(slices.Compact(tokens)) != 3 {
		t.Errorf("a refresh token comes again: %v", tokens)
	}
}

func TestFiftyRefreshesAtOnceAreOneRotation(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, _, first := tt.signedIn(t)
	session, last := claimsOf(t, first.text("token"))["sid"], first
	for round := range testenv.Rounds(t) {
		answers := atOnce(50, func(int) answer {
			return insist(func() answer { return tt.refresh(t, last.text("refresh_token")) })
		})
		for _, a := range answers {
			a.want(t, 200, "")
			if got, want := a.text("refresh_token"), answers[0].text("refresh_token"); got != want || a.text("refresh_expires_at") != answers[0].text("refresh_expires_at") {
				t.Fatalf("two successors: %s and %s", got, want)
			}
			if !tt.works(t, a.text("token")) {
				t.Error("an access token that does not hold")
			}
		}
		if n := tt.count(t, `select refresh_generation from sessions where id = $1`, session); n != round+2 {
			t.Fatalf("generation %d after %d rotations", n, round+1)
		}
		last = answers[0]
	}
	tt.refresh(t, last.text("refresh_token")).want(t, 200, "")
}

func TestALostAnswerIsGivenAgainForTenSeconds(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, user, first := tt.signedIn(t)
	next := tt.refresh(t, first.text("refresh_token")).want(t, 200, "")
	again := tt.refresh(t, first.text("refresh_token")).want(t, 200, "")
	if next.text("refresh_token") != again.text("refresh_token") || next.text("refresh_expires_at") != again.text("refresh_expires_at") {
		t.Errorf("%s, then %s", next.body, again.body)
	}
	tt.lateness(t, next.text("token"), 11*time.Second)
	tt.refresh(t, first.text("refresh_token")).want(t, 401, "invalid_token")
	for name, a := range map[string]answer{"the newest": next, "the one reused": first} {
		tt.refresh(t, a.text("refresh_token")).want(t, 401, "invalid_token")
		if tt.works(t, a.text("token")) {
			t.Errorf("the access token beside %s still holds", name)
		}
	}
	if n := tt.recorded(t, "session.reuse_detected", user); n != 1 {
		t.Errorf("%d entries of one reuse", n)
	}
}

func TestAnyEarlierTokenEndsTheSessionAtOnce(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, user, a := tt.signedIn(t)
	line := []string{a.text("refresh_token")}
	for range 5 {
		a = tt.refresh(t, line[len(line)-1]).want(t, 200, "")
		line = append(line, a.text("refresh_token"))
	}
	var wg sync.WaitGroup
	for range 50 { // fifty at once are one detection
		wg.Go(func() { tt.refresh(t, line[2]).want(t, 401, "invalid_token") })
	}
	wg.Wait()
	tt.refresh(t, line[5]).want(t, 401, "invalid_token")
	if tt.works(t, a.text("token")) {
		t.Error("the session goes on")
	}
	if n := tt.recorded(t, "session.reuse_detected", user); n != 1 {
		t.Errorf("%d entries of one reuse", n)
	}
}

// Whoever sees an access token knows the session's id. It is not enough to make a token that looks used.
func TestNobodyEndsASessionByItsID(t *testing.T) {
	t.Parallel()
	tt, other := sharedPlatform(t).newTenant(t), sharedPlatform(t).newTenant(t)
	_, _, a := tt.signedIn(t)
	_, _, foreign := other.signedIn(t)
	token := tt.refresh(t, a.text("refresh_token")).want(t, 200, "").text("refresh_token")
	tenant, err := id.ParseTenant(tt.id)
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := tenancy.ParseSecret("ghr_", tenant, a.text("refresh_token"))
	if !ok || len(raw) != 52 {
		t.Fatalf("%d bytes in %s", len(raw), a.text("refresh_token"))
	}
	forge := func(change func([]byte)) string {
		b := slices.Clone(raw)
		change(b)
		return tenancy.FormatSecret("ghr_", tenant, b)
	}
	for name, bad := range map[string]string{
		"another tag":        forge(func(b []byte) { b[51] ^= 1 }),
		"no tag":             forge(func(b []byte) { clear(b[20:]) }),
		"generation 0":       forge(func(b []byte) { b[19] = 0 }),
		"generation 7":       forge(func(b []byte) { b[19] = 7 }),
		"another session":    forge(func(b []byte) { b[15] ^= 1 }),
		"cut":                a.text("refresh_token")[:len(token)-1],
		"longer":             token + "A",
		"a space":            token + " ",
		"another kind":       "ghk" + token[3:],
		"nothing but a kind": "ghr_",
		"an access token":    a.text("token"),
		"an API key":         tt.key,
		"a foreign secret":   token[:31] + foreign.text("refresh_token")[31:],
		"long":               token + strings.Repeat("A", 9000),
	} {
		if got := tt.refresh(t, bad); got.status != 401 || got.text("code") != "invalid_token" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	tt.refresh(t, foreign.text("refresh_token")).want(t, 403, "tenant_mismatch")
	tt.refresh(t, token).want(t, 200, "")
}

func TestARefreshTokenNamesItsTenantOnTheSharedHost(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	_, _, a := tt.signedIn(t)
	_, _, b := other.signedIn(t)
	at := func(path string, rq request) answer {
		rq.method, rq.path = "POST", path+"/v1/auth/refresh"
		return tp.do(t, rq)
	}
	body := map[string]any{"refresh_token": a.text("refresh_token")}
	next := at("", request{body: body}).want(t, 200, "")
	if next.text("tenant_id") != tt.id {
		t.Errorf("a token of %s went on as one of %s", tt.id, next.text("tenant_id"))
	}
	at("/t/"+tt.slug, request{body: body}).want(t, 200, "")
	at("/t/"+other.slug, request{body: body}).want(t, 403, "tenant_mismatch")
	at("", request{body: body, bearer: b.text("token")}).want(t, 403, "tenant_mismatch")
	at("", request{body: body, header: map[string]string{"X-Tenant-ID": other.id}}).want(t, 403, "tenant_mismatch")
	nobodys := tenancy.FormatSecret("ghr_", id.NewTenant(), make([]byte, 52))
	at("", request{body: map[string]any{"refresh_token": nobodys}}).want(t, 401, "invalid_token")
	at("/t/"+tt.slug, request{body: map[string]any{"refresh_token": "-"}}).want(t, 401, "invalid_token")
	tp.do(t, request{method: "POST", path: "/v1/tenants/" + tt.id + "/suspend", key: tp.platformKey, body: map[string]any{"active": false}}).want(t, 200, "")
	at("", request{body: body}).want(t, 403, "tenant_suspended")
}

func TestASessionEndsAtItsLimitsAndAtThoseOfToday(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	limits := func(idle, absolute int) {
		tt.settings(t, func(s map[string]any) {
			s["tokens"] = map[string]any{"access_seconds": 600, "refresh_idle_seconds": idle, "refresh_absolute_seconds": absolute, "audiences": []string{}}
		}).want(t, 200, "")
	}
	for name, c := range map[string]struct {
		age    time.Duration
		before func()
		good   bool
	}{
		"just within the idle limit":          {12*time.Hour - time.Minute, func() {}, true},
		"over the idle limit":                 {12*time.Hour + time.Second, func() {}, false},
		"over the idle limit of today":        {time.Hour, func() { limits(1800, 86400) }, false},
		"within the idle limit of its begin":  {time.Hour, func() { limits(7200, 7200) }, true},
		"over the absolute limit of today":    {3 * time.Hour, func() { limits(7200, 7200) }, false},
		"within limits that are longer today": {11 * time.Hour, func() { limits(864000, 864000) }, true},
	} {
		limits(12*3600, 24*3600)
		_, _, a := tt.signedIn(t)
		c.before()
		tt.age(t, a.text("token"), c.age)
		if got := tt.refresh(t, a.text("refresh_token")); (got.status == 200) != c.good {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	limits(12*3600, 24*3600)
	_, _, a := tt.signedIn(t)
	tt.age(t, a.text("token"), 11*time.Hour)
	a = tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
	tt.age(t, a.text("token"), 11*time.Hour)
	a = tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
	if left := until(t, a.text("refresh_expires_at")); left > 2*time.Hour {
		t.Errorf("two hours before the end of the session its refresh token lives for %s", left)
	}
	tt.age(t, a.text("token"), 2*time.Hour-time.Minute)
	a = tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
	if left := until(t, a.text("expires_at")); left > time.Minute {
		t.Errorf("a minute before the end of the session its access token lives for %s", left)
	}
	tt.age(t, a.text("token"), time.Minute)
	tt.refresh(t, a.text("refresh_token")).want(t, 401, "invalid_token")
}

func until(tb testing.TB, text string) time.Duration {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		tb.Fatal(err)
	}
	return time.Until(at)
}

func TestWhoMayNotSignInMayNotRefresh(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for name, c := range map[string]struct{ what, undo func(user string) }{
		"suspended, and active again": {
			func(user string) {
				tt.at(t, "POST", "/v1/users/"+user+"/suspend", request{key: tt.key, body: `{"active":false}`}).want(t, 200, "")
			},
			func(user string) {
				tt.at(t, "POST", "/v1/users/"+user+"/suspend", request{key: tt.key, body: `{"active":true}`}).want(t, 200, "")
			},
		},
		"deleted": {
			func(user string) { tt.at(t, "DELETE", "/v1/users/"+user, request{key: tt.key}).want(t, 204, "") },
			func(string) {},
		},
		"signed out by an administrator": {
			func(user string) {
				tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key}).want(t, 204, "")
			},
			func(string) {},
		},
		"without a role they had": {
			func(user string) {
				tt.at(t, "PUT", "/v1/users/"+user, request{key: tt.key, body: `{"roles":[]}`}).want(t, 200, "")
			},
			func(string) {},
		},
		"without their factors": {
			func(user string) {
				tt.at(t, "POST", "/v1/users/"+user+"/reset-mfa", request{key: tt.key}).want(t, 204, "")
			},
			func(string) {},
		},
	} {
		_, user, a := tt.signedIn(t)
		c.what(user)
		tt.refresh(t, a.text("refresh_token")).want(t, 401, "invalid_token")
		c.undo(user)
		if got := tt.refresh(t, a.text("refresh_token")); got.status != 401 || tt.works(t, a.text("token")) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	_, user, a := tt.signedIn(t)
	tt.exec(t, `update users set email_verified = false where id = $1`, user)
	tt.refresh(t, a.text("refresh_token")).want(t, 401, "invalid_token")
	tt.exec(t, `update users set email_verified = true where id = $1`, user)
	tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
}

// A session of a password alone does not outlive the tenant's demand for two factors; one that proved two does.
func TestARefreshAsksForTheFactorsThatALoginWould(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, _, a := tt.signedIn(t)
	tt.demandMFA(t)
	tt.refresh(t, a.text("refresh_token")).want(t, 401, "invalid_token")
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["grace_days"] = 3 }).want(t, 200, "")
	if got := tt.refresh(t, a.text("refresh_token")).want(t, 200, ""); got.field("mfa_setup_required") != true {
		t.Errorf("in the days of grace: %s", got.body)
	}
}

func TestSessionsAreListedAndEndedOneByOne(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user, first := tt.signedIn(t)
	second := tt.at(t, "POST", "/v1/auth/login", request{body: map[string]any{"email": email, "password": goodPassword},
		header: map[string]string{"User-Agent": "Second device"}}).want(t, 200, "")
	_, _, strangers := tt.signedIn(t)
	sid := func(a answer) string { return claimsOf(t, a.text("token"))["sid"].(string) }
	list := func(a answer, query string) []map[string]any {
		return tt.at(t, "GET", "/v1/users/me/sessions"+query, request{bearer: a.text("token")}).want(t, 200, "").data(t)
	}
	rows := list(second, "")
	if len(rows) != 2 || rows[0]["id"] != sid(first) || rows[1]["id"] != sid(second) || rows[0]["current"] != false || rows[1]["current"] != true {
		t.Fatalf("%v", rows)
	}
	if rows[1]["device"] != "Second device" || rows[1]["network"] != "127.0.0.1" || rows[1]["acr"] != "aal1" || fmt.Sprint(rows[1]["amr"]) != "[pwd]" {
		t.Errorf("%v", rows[1])
	}
	if a, b := list(second, "?limit=1"), rows[:1]; fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the first page is %v", a)
	}
	tt.lateness(t, first.text("token"), time.Hour)
	first = tt.refresh(t, first.text("refresh_token")).want(t, 200, "")
	if again := list(second, "")[0]; again["last_used_at"].(string) <= rows[0]["last_used_at"].(string) || again["created_at"] != rows[0]["created_at"] {
		t.Errorf("refreshed it is %v, and was %v", again, rows[0])
	}

	end := func(a answer, id string) answer {
		return tt.at(t, "DELETE", "/v1/users/me/sessions/"+id, request{bearer: a.text("token")})
	}
	end(first, sid(strangers)).want(t, 404, "not_found")
	end(second, sid(first)).want(t, 204, "")
	end(second, sid(first)).want(t, 404, "not_found")
	tt.refresh(t, first.text("refresh_token")).want(t, 401, "invalid_token")
	if tt.works(t, first.text("token")) || !tt.works(t, second.text("token")) || !tt.works(t, strangers.text("token")) {
		t.Error("one session was ended, and it is not this one")
	}
	if n := tt.recorded(t, "session.ended", user); n != 1 {
		t.Errorf("%d entries of one end", n)
	}
	if rows := list(second, ""); len(rows) != 1 {
		t.Errorf("an ended session is listed: %v", rows)
	}
	tt.exec(t, `update sessions set refresh_expires_at = now() - interval '1 second' where id = $1`, sid(second))
	if rows := list(second, ""); len(rows) != 1 {
		t.Errorf("the session that asks is not listed: %v", rows)
	}
	end(second, sid(second)).want(t, 204, "")
	if tt.works(t, second.text("token")) {
		t.Error("a session that ended itself goes on")
	}
}

func TestSigningOutIsOnEveryReplicaAtOnceAndRecorded(t *testing.T) {
	t.Parallel()
	one := sharedPlatform(t)
	two := startOn(t, one.install, func(c *config) { c.Address = one.config.Address })
	tt := one.newTenant(t)
	there := testTenant{two, tt.id, tt.slug, tt.host, tt.key}
	for name, c := range map[string]struct {
		action string
		end    func(a answer, user string) answer
		others bool // of the user's sessions go on
	}{
		"logout": {"session.ended", func(a answer, _ string) answer {
			return tt.at(t, "POST", "/v1/auth/logout", request{bearer: a.text("token")})
		}, true},
		"logout-all": {"sessions.revoked", func(a answer, _ string) answer {
			return tt.at(t, "POST", "/v1/auth/logout-all", request{bearer: a.text("token")})
		}, false},
		"an administrator": {"sessions.revoked", func(_ answer, user string) answer {
			return tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key})
		}, false},
	} {
		email, user, a := tt.signedIn(t)
		other := tt.login(t, email, goodPassword).want(t, 200, "")
		next := there.refresh(t, a.text("refresh_token")).want(t, 200, "")
		if !there.works(t, next.text("token")) || !there.works(t, other.text("token")) {
			t.Fatalf("%s: a session of one replica is none of the other", name)
		}
		c.end(a, user).want(t, 204, "")
		there.refresh(t, next.text("refresh_token")).want(t, 401, "invalid_token")
		if there.works(t, next.text("token")) || tt.works(t, a.text("token")) {
			t.Errorf("%s: the session goes on", name)
		}
		if there.works(t, other.text("token")) != c.others {
			t.Errorf("%s: the user's other session goes on: %t", name, !c.others)
		}
		if n := tt.recorded(t, c.action, user); n != 1 {
			t.Errorf("%s: %d entries", name, n)
		}
		there.login(t, email, goodPassword).want(t, 200, "")
	}
}

func TestTheSuccessorIsTheSameOnEveryReplica(t *testing.T) {
	t.Parallel()
	one := sharedPlatform(t)
	two := startOn(t, one.install, func(c *config) { c.Address = one.config.Address })
	tt := one.newTenant(t)
	there := testTenant{two, tt.id, tt.slug, tt.host, tt.key}
	_, _, a := tt.signedIn(t)
	for range 5 {
		var here, beyond answer
		var wg sync.WaitGroup
		wg.Go(func() { here = tt.refresh(t, a.text("refresh_token")) })
		wg.Go(func() { beyond = there.refresh(t, a.text("refresh_token")) })
		wg.Wait()
		if here.want(t, 200, "").text("refresh_token") != beyond.want(t, 200, "").text("refresh_token") {
			t.Fatalf("%s and %s", here.body, beyond.body)
		}
		a = beyond
	}
}

// The owner signs out by themselves; nobody else does it for them. Nobody signs out whoever stands above them.
func TestWhoMaySignOutWhom(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, owner, ofOwner := tt.signedIn(t, "admin")
	_, admin, ofAdmin := tt.signedIn(t, "admin")
	_, user, ofUser := tt.signedIn(t)
	tt.exec(t, `update users set is_owner = true where id = $1`, owner)
	some, _ := tt.newKey(t, "users:write")
	revoke := func(rq request, of string) answer {
		return tt.at(t, "POST", "/v1/users/"+of+"/revoke-sessions", rq)
	}
	revoke(request{bearer: ofUser.text("token")}, user).want(t, 403, "forbidden")
	revoke(request{bearer: ofAdmin.text("token")}, owner).want(t, 409, "owner_protected")
	revoke(request{key: tt.key}, owner).want(t, 409, "owner_protected")
	revoke(request{key: some}, admin).want(t, 403, "forbidden")
	revoke(request{key: some}, user).want(t, 204, "")
	revoke(request{bearer: ofOwner.text("token")}, admin).want(t, 204, "")
	revoke(request{bearer: ofOwner.text("token")}, owner).want(t, 204, "")
	for name, a := range map[string]answer{"owner": ofOwner, "administrator": ofAdmin, "user": ofUser} {
		if tt.works(t, a.text("token")) {
			t.Errorf("the %s is still signed in", name)
		}
	}
}

// A step-up gives the session's next refresh token, so what holds of a refresh holds of it.
func TestAStepUpIsARotation(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.enrolledUser(t)
	before := tt.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "")
	challenge := tt.post(t, "/v1/auth/step-up", before.text("token"), nil).want(t, 200, "").text("challenge_id")
	raised := tt.prove(t, challenge, "backup_code", u.codes[0].(string)).want(t, 200, "")
	if claimsOf(t, raised.text("token"))["sid"] != claimsOf(t, before.text("token"))["sid"] {
		t.Fatal("a step-up is of another session")
	}
	again := tt.refresh(t, before.text("refresh_token")).want(t, 200, "")
	if again.text("refresh_token") != raised.text("refresh_token") {
		t.Error("beside a step-up a refresh makes another successor")
	}
	if a, b := claimsOf(t, again.text("token")), claimsOf(t, raised.text("token")); a["auth_time"] != b["auth_time"] || a["acr"] != "aal2" {
		t.Errorf("%v beside %v", a, b)
	}
	next := tt.refresh(t, raised.text("refresh_token")).want(t, 200, "")
	tt.refresh(t, before.text("refresh_token")).want(t, 401, "invalid_token")
	tt.refresh(t, next.text("refresh_token")).want(t, 401, "invalid_token")
}

// Whatever a refresh was doing when all sessions were ended, nothing it answers is good for anything.
func TestNoRefreshGetsAroundARevocation(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	_, user, a := tt.signedIn(t)
	answers := make(chan answer, 1000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for mine := a; mine.status == 200; {
				mine = tt.refresh(t, mine.text("refresh_token"))
				answers <- mine
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			answers <- (<-answers).want(t, 200, "")
		}
		tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key}).want(t, 204, "")
	})
	wg.Wait()
	close(answers)
	for got := range answers {
		if got.status == 200 && (tt.works(t, got.text("token")) || tt.refresh(t, got.text("refresh_token")).status != 401) {
			t.Fatal("signed out, and in")
		}
	}
}

// The other way round, a login that has deleted old sessions and whoever ends them would wait for each other.
func TestALoginThatWaitsForItsUserHoldsNoSession(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user, _ := tt.signedIn(t)
	watcher, holder := tt.superuser(t), tt.superuser(t)
	for range 32 { // one login in eight deletes some
		tt.exec(t, `update sessions set expires_at = now() - interval '1 hour' where user_id = $1`, user)
		tx, err := holder.Begin(t.Context())
		if err == nil {
			_, err = tx.Exec(t.Context(), `select from users where id = $1 for no key update`, user)
		}
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan answer, 1)
		go func() { done <- tt.login(t, email, goodPassword) }()
		eventually(t, 5*time.Second, "the login waits", func() (waits bool) {
			err := watcher.QueryRow(t.Context(), `select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))`,
				int32(holder.PgConn().PID())).Scan(&waits)
			return err == nil && (waits || len(done) > 0)
		})
		if _, err := tx.Exec(t.Context(), `select from sessions where user_id = $1 for update nowait`, user); err != nil {
			t.Errorf("a login holds a session: %v", err)
		}
		_ = tx.Rollback(t.Context())
		(<-done).want(t, 200, "")
	}
}

// A factor that is added ends what a password alone has begun elsewhere, a factor that is removed everything elsewhere.
func TestAnotherFactorEndsSessionsElsewhere(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _, here := tt.signedIn(t)
	elsewhere := tt.login(t, email, goodPassword).want(t, 200, "")
	app := newApp(tt.post(t, "/v1/users/me/mfa/totp", here.text("token"), nil).want(t, 201, "").text("secret"))
	tt.post(t, "/v1/users/me/mfa/totp/verify", here.text("token"), map[string]any{"code": app.code(t, 0)}).want(t, 200, "")
	tt.refresh(t, elsewhere.text("refresh_token")).want(t, 401, "invalid_token")
	here = tt.refresh(t, here.text("refresh_token")).want(t, 200, "")
	if tt.works(t, elsewhere.text("token")) || !tt.works(t, here.text("token")) {
		t.Error("added: not the sessions elsewhere, and them alone, ended")
	}

	u := enrolled{tt, email, app, nil}
	strong := tt.prove(t, u.challenge(t), "totp", app.code(t, 1)).want(t, 200, "")
	tt.refresh(t, strong.text("refresh_token")).want(t, 200, "")
	codes := tt.post(t, "/v1/users/me/mfa/backup-codes", strong.text("token"), nil).want(t, 200, "").field("codes").([]any)
	other := tt.prove(t, u.challenge(t), "backup_code", codes[0].(string)).want(t, 200, "")
	factor := tt.at(t, "GET", "/v1/users/me/mfa", request{bearer: strong.text("token")}).want(t, 200, "").field("methods").([]any)[0].(map[string]any)["id"].(string)
	begun := u.challenge(t)
	tt.at(t, "DELETE", "/v1/users/me/mfa/"+factor, request{bearer: strong.text("token")}).want(t, 204, "")
	if tt.works(t, other.text("token")) || tt.works(t, here.text("token")) || !tt.works(t, strong.text("token")) {
		t.Error("removed: not the sessions elsewhere, and them alone, ended")
	}
	tt.prove(t, begun, "backup_code", codes[1].(string)).want(t, 401, "invalid_code")
}
