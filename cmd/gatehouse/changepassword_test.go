package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const betterPassword = "marmalade on Tuesday, lighthouse at six"

// changing is a user about to change their password.
type changing struct {
	testTenant
	email, id, token string
}

func (tp *testPlatform) newChanging(t *testing.T) changing {
	t.Helper()
	tt := tp.newTenant(t)
	email, id := tt.newUser(t)
	return changing{tt, email, id, tt.login(t, email, goodPassword).want(t, 200, "").text("token")}
}

func (c changing) change(t *testing.T, token, current, fresh string) answer {
	t.Helper()
	return c.do(t, change(c.asUser(token), current, fresh))
}

// works reports whether somebody is signed in with the token.
func (c changing) works(t *testing.T, token string) bool {
	t.Helper()
	return c.at(t, "GET", profilePath, request{bearer: token}).status == 200
}

func TestAChangedPasswordEndsOtherSessions(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	other := c.login(t, c.email, goodPassword).want(t, 200, "").text("token")
	bystander, _ := c.signIn(t)

	c.change(t, c.token, goodPassword, betterPassword).want(t, 204, "")
	if c.works(t, other) {
		t.Error("another session goes on")
	}
	if !c.works(t, c.token) || !c.works(t, bystander) {
		t.Error("the session of the change, or another user's, ended")
	}
	c.login(t, c.email, goodPassword).want(t, 401, "invalid_credentials")
	c.login(t, c.email, betterPassword).want(t, 200, "")
	c.change(t, c.token, betterPassword, goodPassword).want(t, 204, "") // the session that stayed may do it again
	if n := c.count(t, `select count(*) from audit_log where action = 'password.changed' and actor_type = 'user' and actor_id = $1 and resource_id = $1`, c.id); n != 2 {
		t.Errorf("two changes are %d entries", n)
	}
}

func TestTheUserIsToldOfAChangedPassword(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	c.change(t, c.token, "not it", betterPassword).want(t, 400, "invalid_credentials") // of which nobody is told
	c.change(t, c.token, goodPassword, betterPassword).want(t, 204, "")
	if m := c.mailTo(t, c.email, 1); !strings.Contains(m.Subject, "password") || strings.Contains(m.Text, betterPassword) {
		t.Errorf("told: %s: %s", m.Subject, m.Text)
	}
}

func TestAPasswordIsExchangedForTheCurrentOne(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	c.change(t, c.token, "not it", betterPassword).want(t, 400, "invalid_credentials")
	c.change(t, c.token, goodPassword, "short").want(t, 400, "weak_password").wantMembers(t, "details.fields", "new_password")
	c.change(t, c.token, "", "").wantFields(t, "current_password,new_password")
	c.at(t, "POST", "/v1/users/me/password", request{key: c.key, body: jsonBody{"current_password": "a", "new_password": "b"}}).want(t, 401, "unauthenticated")
	if !c.works(t, c.token) {
		t.Error("a refused change ended the session")
	}
	c.login(t, c.email, goodPassword).want(t, 200, "")

	sso, id := c.signIn(t)
	c.exec(t, `update users set auth_provider = 'oidc', password_hash = null where id = $1`, id)
	c.change(t, sso, goodPassword, betterPassword).want(t, 400, "invalid_credentials")
	if n := c.count(t, `select count(*) from users where id = $1 and password_hash is not null`, id); n != 0 {
		t.Error("who signs in elsewhere has a password now")
	}
}

func TestChangingAPasswordNeedsAFreshLogin(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	c.exec(t, `update sessions set auth_time = auth_time - interval '11 minutes' where user_id = $1`, c.id)
	c.change(t, c.token, goodPassword, betterPassword).want(t, 403, "reauthentication_required")
	c.exec(t, `update sessions set auth_time = auth_time + interval '2 minutes' where user_id = $1`, c.id)
	c.exec(t, `update users set factors = '{totp}' where id = $1`, c.id)
	c.change(t, c.token, goodPassword, betterPassword).want(t, 403, "reauthentication_required")
	c.exec(t, `update users set factors = '{}' where id = $1`, c.id)
	c.change(t, c.token, goodPassword, betterPassword).want(t, 204, "")
}

// A login that proved the old password and owes a factor is none any more.
func TestAChangedPasswordEndsLoginsUnderWay(t *testing.T) {
	t.Parallel()
	e := sharedPlatform(t).newTenant(t).enrolledUser(t)
	token := e.prove(t, e.challenge(t), "backup_code", e.codes[0].(string)).want(t, 200, "").text("token")
	pending := e.challenge(t)
	c := changing{testTenant: e.testTenant}
	c.change(t, token, goodPassword, betterPassword).want(t, 204, "")
	e.prove(t, pending, "totp", e.app.code(t, 1)).want(t, 401, "challenge_expired")
	if !c.works(t, token) {
		t.Error("the session of the change ended")
	}
}

// Fifty requests know the current password; one changes it, and for the others it is wrong by then, or they have to wait: they
// are tries at a password like others.
func TestOfManyChangesAtOnceOneIsMade(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	answers := make([]answer, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = c.change(t, c.token, goodPassword, fmt.Sprintf("%s, chapter %d", betterPassword, i))
		})
	}
	all.Wait()
	won := -1
	for i, a := range answers {
		switch {
		case a.status == 204 && won < 0:
			won = i
		case a.status == 204:
			t.Errorf("%d and %d both changed it", won, i)
		case a.text("code") != "invalid_credentials" && a.status != 429 && a.status != 503:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if won < 0 {
		t.Fatalf("nobody changed it: %d %s", answers[0].status, answers[0].body)
	}
	if n := c.count(t, `select count(*) from audit_log where action = 'password.changed' and resource_id = $1`, c.id); n != 1 {
		t.Errorf("one change is %d entries", n)
	}
	c.exec(t, `delete from failures`) // the wait of those that came too late
	c.login(t, c.email, fmt.Sprintf("%s, chapter %d", betterPassword, won)).want(t, 200, "")
}

// A session that was left open is no place to guess the password at: its tries are counted with those of logins.
func TestTheCurrentPasswordIsGuessedAtSlowly(t *testing.T) {
	t.Parallel()
	c := sharedPlatform(t).newChanging(t)
	var a answer
	for range 8 {
		if a = c.change(t, c.token, "not it", betterPassword); a.status == 429 {
			break
		}
		a.want(t, 400, "invalid_credentials")
	}
	a.want(t, 429, "rate_limited")
	c.exec(t, `update failures set blocked_until = now() + interval '1 hour' where key = $1`, c.id) // a wait that this test cannot outlast
	c.change(t, c.token, goodPassword, betterPassword).want(t, 429, "rate_limited")
	c.login(t, c.email, goodPassword).want(t, 429, "rate_limited")
	if !c.works(t, c.token) {
		t.Error("the wait ended the session")
	}
}
