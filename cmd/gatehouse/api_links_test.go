package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// What goes by mail: invitations, verification, resets, another address. Tokens are read in the mails, as people do.

const otherPassword = "quite another long passphrase"

// person is somebody whose mailbox the test reads.
type person struct {
	testTenant
	email, id string
}

// add makes a user as an administrator does; with says what else is known of them.
func (tt testTenant) add(tb testing.TB, with jsonBody) person {
	tb.Helper()
	body := jsonBody{"email": uniqueName() + "@people.example", "name": "Somebody"}
	for name, value := range with {
		body[name] = value
	}
	a := tt.at(tb, "POST", "/v1/users", request{key: tt.key, body: body}).want(tb, 201, "")
	return person{tt, a.text("email"), a.text("id")}
}

// member is somebody who can sign in.
func (tt testTenant) member(tb testing.TB) person {
	tb.Helper()
	return tt.add(tb, jsonBody{"password": goodPassword, "email_verified": true})
}

// tokens make a link of each purpose for somebody, and use one.
type linkUse struct {
	purpose string
	path    string
	body    func(token string) jsonBody
	obtain  func(testing.TB, testTenant) (person, string)
}

func tokenAlone(token string) jsonBody { return jsonBody{"token": token} }

var linkUses = []linkUse{
	{"invitation", "/v1/auth/set-initial-password",
		func(token string) jsonBody { return jsonBody{"token": token, "password": otherPassword} },
		func(tb testing.TB, tt testTenant) (person, string) {
			p := tt.add(tb, nil)
			return p, p.mailed(tb, "invitation", p.email).token
		}},
	{"verify_email", "/v1/auth/verify-email", tokenAlone, func(tb testing.TB, tt testTenant) (person, string) {
		p := tt.add(tb, jsonBody{"password": goodPassword})
		return p, p.mailed(tb, "verify_email", p.email).token
	}},
	{"reset_password", "/v1/auth/reset-password",
		func(token string) jsonBody { return jsonBody{"token": token, "new_password": otherPassword} },
		func(tb testing.TB, tt testTenant) (person, string) {
			p := tt.member(tb)
			return p, p.resetToken(tb)
		}},
	{"confirm_email_change", "/v1/auth/confirm-email-change", tokenAlone, func(tb testing.TB, tt testTenant) (person, string) {
		p := tt.member(tb)
		return p, p.changeToken(tb, "new-"+p.email)
	}},
}

func (p person) use(tb testing.TB, u linkUse, token string) answer {
	tb.Helper()
	return p.at(tb, "POST", u.path, request{body: u.body(token)})
}

// somewhere is an address that nobody came from so far: networks may not ask for many mails.
func somewhere() string {
	n := networks.Add(1)
	return fmt.Sprintf("127.77.%d.%d", n/250, n%250+1)
}

var networks atomic.Int32

// ask has a mail sent, as a stranger does.
func (tt testTenant) ask(tb testing.TB, path, email string) answer {
	tb.Helper()
	return tt.at(tb, "POST", path, request{from: somewhere(), body: jsonBody{"email": email}}).want(tb, 202, "")
}

func (p person) askReset(tb testing.TB) answer {
	tb.Helper()
	return p.ask(tb, "/v1/auth/request-password-reset", p.email)
}

func (p person) resetToken(tb testing.TB) string {
	tb.Helper()
	p.askReset(tb)
	return p.mailed(tb, "reset_password", p.email).token
}

func (p person) signIn(tb testing.TB) (token string) {
	tb.Helper()
	return p.login(tb, p.email, goodPassword).want(tb, 200, "").text("token")
}

func (p person) askChange(tb testing.TB, token, to string) answer {
	tb.Helper()
	return p.at(tb, "POST", "/v1/users/me/email", request{bearer: token, body: jsonBody{"new_email": to, "current_password": goodPassword}})
}

func (p person) changeToken(tb testing.TB, to string) string {
	tb.Helper()
	p.askChange(tb, p.signIn(tb), to).want(tb, 202, "")
	return p.mailed(tb, "confirm_email_change", to).token
}

func (p person) profile(tb testing.TB, token string) answer {
	tb.Helper()
	return p.at(tb, "GET", "/v1/users/me/profile", request{bearer: token})
}

func TestALifeByMail(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).add(t, nil)
	p.login(t, p.email, goodPassword).want(t, 401, "invalid_credentials")
	invitation := p.mailed(t, "invitation", p.email)
	if want := "http://" + p.host + ":"; !strings.HasPrefix(invitation.link, want) || !strings.Contains(invitation.link, "/set-password?token=ghl_") {
		t.Errorf("the link is %s, want it at %s", invitation.link, want)
	}
	set := func(pw string) answer {
		return p.at(t, "POST", "/v1/auth/set-initial-password", request{body: jsonBody{"token": invitation.token, "password": pw}})
	}
	set("short").want(t, 400, "weak_password").wantMembers(t, "details.fields", "password")
	set(goodPassword).want(t, 200, "").wantMembers(t, "", "message")
	first := p.signIn(t)
	reset := p.resetToken(t)
	a := p.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": reset, "new_password": "short"}})
	a.want(t, 400, "weak_password").wantMembers(t, "details.fields", "new_password")
	p.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": reset, "new_password": otherPassword}}).want(t, 200, "").wantMembers(t, "", "message")
	p.profile(t, first).want(t, 401, "unauthenticated")
	p.login(t, p.email, goodPassword).want(t, 401, "invalid_credentials")
	p.login(t, p.email, otherPassword).want(t, 200, "")
	if n := len(p.letters(t, "password_reset_done", p.email)); n != 1 {
		t.Errorf("%d notices of the reset, want 1", n)
	}
}

func TestALinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	for _, u := range linkUses {
		t.Run(u.purpose, func(t *testing.T) {
			t.Parallel()
			tt := sharedPlatform(t).newTenant(t)
			for round := range testenv.Rounds(t) {
				linkUsedOnce(t, u, tt)
				if n := tt.count(t, `select count(*) from audit_log where action = 'link.refused'`); n != round+1 {
					t.Fatalf("the log has %d refusals of %d links", n, round+1)
				}
			}
		})
	}
}

func linkUsedOnce(t *testing.T, u linkUse, tt testTenant) {
	t.Helper()
	p, token := u.obtain(t, tt)
	answers := atOnce(50, func(int) answer { return insist(func() answer { return p.use(t, u, token) }) })
	if got := tally(answers); got["200"] != 1 || got["400 invalid_token"] != 49 {
		t.Fatalf("answers %v, want one that is good", got)
	}
}

func TestALinkEndsOnTime(t *testing.T) {
	t.Parallel()
	lives := map[string]time.Duration{"invitation": 7 * 24 * time.Hour, "verify_email": 24 * time.Hour, "reset_password": 30 * time.Minute, "confirm_email_change": time.Hour}
	for _, u := range linkUses {
		t.Run(u.purpose, func(t *testing.T) {
			t.Parallel()
			tt, c := clocked(t)
			p, token := u.obtain(t, tt)
			var ends time.Time
			if err := tt.superuser(t).QueryRow(t.Context(), `select expires_at from links where user_id = $1`, p.id).Scan(&ends); err != nil {
				t.Fatal(err)
			}
			if life := ends.Sub(c.began); life < lives[u.purpose] || life > lives[u.purpose]+2*time.Minute {
				t.Errorf("it lives for %s, want %s", life, lives[u.purpose])
			}
			c.advance(ends.Sub(c.now()))
			p.use(t, u, token).want(t, 400, "invalid_token")
			c.advance(-time.Microsecond)
			p.use(t, u, token).want(t, 200, "")
		})
	}
}

func TestALinkIsForOnePurpose(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, u := range linkUses {
		p, token := u.obtain(t, tt)
		for _, other := range linkUses {
			if other.purpose != u.purpose {
				p.use(t, other, token).want(t, 400, "invalid_token")
			}
		}
		p.use(t, u, token).want(t, 200, "")
	}
}

func TestALinkIsForOneTenant(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	own, other := tp.newTenant(t), tp.newTenant(t)
	for _, u := range linkUses {
		p, token := u.obtain(t, own)
		_, theirs := u.obtain(t, other)
		// The secret of one tenant's link under the other's name.
		forged := theirs[:strings.LastIndex(theirs[:31], "_")+1] + token[strings.LastIndex(theirs[:31], "_")+1:]
		sharedHost := func(token string, more jsonBody) answer {
			body := u.body(token)
			for name, value := range more {
				body[name] = value
			}
			return tp.do(t, request{method: "POST", path: u.path, body: body})
		}
		other.at(t, "POST", u.path, request{body: u.body(token)}).want(t, 403, "tenant_mismatch")
		other.at(t, "POST", u.path, request{body: u.body(forged)}).want(t, 400, "invalid_token")
		sharedHost(forged, nil).want(t, 400, "invalid_token")
		sharedHost("no token", nil).want(t, 400, "invalid_token")
		sharedHost(token, jsonBody{"tenant_slug": other.slug}).want(t, 403, "tenant_mismatch")
		sharedHost("", nil).wantFields(t, "token")
		tp.do(t, request{method: "POST", path: "/t/" + other.slug + u.path, body: u.body(token)}).want(t, 403, "tenant_mismatch")
		p.use(t, u, token+"A").want(t, 400, "invalid_token")
		sharedHost(token, nil).want(t, 200, "") // it names its tenant
	}
}

func TestOnlyTheNewestLinkWorks(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).add(t, nil)
	u := linkUses[0]
	old := p.mailed(t, "invitation", p.email).token
	again := func() answer { return p.at(t, "POST", "/v1/users/"+p.id+"/resend-invite", request{key: p.key}) }
	again().want(t, 200, "").wantMembers(t, "", "message")
	again().want(t, 200, "") // the minute has had its mail
	all := p.letters(t, "invitation", p.email)
	if len(all) != 2 {
		t.Fatalf("%d invitations, want 2", len(all))
	}
	p.use(t, u, old).want(t, 400, "invalid_token")
	p.use(t, u, all[1].token).want(t, 200, "")
	again().want(t, 409, "already_verified")
}

func TestWhatALinkWasMadeInViewOfKillsIt(t *testing.T) {
	t.Parallel()
	admin := func(method, path string, body any) func(*testing.T, person) {
		return func(t *testing.T, p person) {
			if a := p.at(t, method, strings.ReplaceAll(path, "{id}", p.id), request{key: p.key, body: body}); a.status >= 300 {
				t.Fatalf("%d: %s", a.status, a.body)
			}
		}
	}
	suspend := admin("POST", "/v1/users/{id}/suspend", jsonBody{"active": false})
	for name, change := range map[string]func(*testing.T, person){
		"a suspension": suspend,
		"one that is over": func(t *testing.T, p person) {
			suspend(t, p)
			admin("POST", "/v1/users/{id}/suspend", jsonBody{"active": true})(t, p)
		},
		"a deletion": admin("DELETE", "/v1/users/{id}", nil),
		"a password": func(t *testing.T, p person) {
			p.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": p.resetToken(t), "new_password": otherPassword}}).want(t, 200, "")
		},
	} {
		for _, u := range linkUses {
			if name == "a password" && u.purpose == "reset_password" {
				continue // it is the one that is used
			}
			t.Run(name+" and "+u.purpose, func(t *testing.T) {
				t.Parallel()
				p, token := u.obtain(t, sharedPlatform(t).newTenant(t))
				change(t, p)
				p.use(t, u, token).want(t, 400, "invalid_token")
			})
		}
	}
}

func TestOnesOwnChangeOfPasswordKillsWhatWasMailed(t *testing.T) {
	t.Parallel()
	for _, u := range linkUses[2:] {
		p, token := u.obtain(t, sharedPlatform(t).newTenant(t))
		change := request{bearer: p.signIn(t), body: jsonBody{"current_password": goodPassword, "new_password": "a third passphrase of some length"}}
		p.at(t, "POST", "/v1/users/me/password", change).want(t, 204, "")
		p.use(t, u, token).want(t, 400, "invalid_token")
	}
}

func TestAnotherAddressKillsWhatWasMailedToTheOldOne(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).member(t)
	reset := p.resetToken(t)
	asker, other := p.signIn(t), p.signIn(t)
	to := "new-" + p.email
	p.askChange(t, asker, to).want(t, 202, "").wantMembers(t, "", "message")
	p.login(t, to, goodPassword).want(t, 401, "invalid_credentials")
	token := p.mailed(t, "confirm_email_change", to).token
	a := p.at(t, "POST", "/v1/auth/confirm-email-change", request{body: tokenAlone(token)}).want(t, 200, "").wantMembers(t, "", "message,email")
	if a.text("email") != to {
		t.Errorf("the address is %s, want %s", a.text("email"), to)
	}
	p.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": reset, "new_password": otherPassword}}).want(t, 400, "invalid_token")
	p.profile(t, asker).want(t, 200, "")
	p.profile(t, other).want(t, 401, "unauthenticated")
	p.login(t, p.email, goodPassword).want(t, 401, "invalid_credentials")
	p.login(t, to, goodPassword).want(t, 200, "")
	if n := len(p.letters(t, "email_changed", p.email)); n != 2 {
		t.Errorf("the old address was told %d times, want at the request and at the change", n)
	}
}

func TestATakenAddressIsAskedForLikeAnyOther(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	p, rival := tt.member(t), tt.member(t)
	token := p.signIn(t)
	free := p.askChange(t, token, "free-"+p.email).want(t, 202, "")
	if diff := alike(free, p.askChange(t, token, rival.email)); diff != "" {
		t.Errorf("a taken address differs: %s", diff)
	}
	if n := len(tt.letters(t, "confirm_email_change", rival.email)); n != 0 {
		t.Errorf("%d links went to an address that somebody has", n)
	}
	if n := len(tt.letters(t, "account_exists", rival.email)); n != 1 {
		t.Errorf("whoever has it was told %d times, want 1", n)
	}
}

// askedFor are the operations by which a stranger has a mail sent.
var askedFor = map[string]string{"/v1/auth/request-password-reset": "reset_password", "/v1/auth/resend-verification": "verify_email"}

// strangers ask for mails to all kinds of addresses: what comes back, and what it is called.
func (tt testTenant) strangers(tb testing.TB) (emails map[string]string) {
	tb.Helper()
	suspended, federated := tt.member(tb), tt.member(tb)
	tt.at(tb, "POST", "/v1/users/"+suspended.id+"/suspend", request{key: tt.key, body: jsonBody{"active": false}}).want(tb, 200, "")
	tt.exec(tb, `update users set auth_provider = 'oidc' where id = $1`, federated.id)
	return map[string]string{"a member": tt.member(tb).email, "nobody": uniqueName() + "@people.example", "one suspended": suspended.email,
		"one who signs in elsewhere": federated.email, "one unproved": tt.add(tb, jsonBody{"password": goodPassword}).email}
}

// What is done about a request is the same for everybody, so that it takes the same time: here nobody sends the mails, and
// what was written stays to be looked at.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	tt := startOn(t, tenancytest.Install(t), func(c *config) { c.Mail = mailConfig{} }).newTenant(t)
	emails := tt.strangers(t)
	for path, kind := range askedFor {
		tt.exec(t, `delete from mails`)
		var first answer
		for who, email := range emails {
			a := tt.ask(t, path, email)
			if first.status == 0 {
				first = a
			} else if diff := alike(first, a); diff != "" {
				t.Errorf("%s: %s is answered otherwise: %s", path, who, diff)
			}
			if n := tt.count(t, `select count(*) from mails where kind = $1 and user_id is null and data = '{}' and address = $2`, kind, email); n != 1 {
				t.Errorf("%s: %d rows for %s, want 1", path, n, who)
			}
		}
		if n := tt.count(t, `select count(*) from mail_budgets`); n%len(emails) != 0 {
			t.Errorf("%s: %d budgets for %d addresses", path, n, len(emails))
		}
	}
	if n := tt.count(t, `select count(*) from audit_log where action like 'password.%' or action like 'link.%'`); n != 0 {
		t.Errorf("%d entries before any mail was made", n)
	}
}

func TestOnlyWhoHasAUseForALinkGetsOne(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	emails := tt.strangers(t)
	for path, kind := range askedFor {
		for who, email := range emails {
			before := len(tt.letters(t, kind, email))
			tt.ask(t, path, email)
			want := 0
			if who == "one unproved" || who == "a member" && kind == "reset_password" {
				want = 1
			}
			if n := len(tt.letters(t, kind, email)) - before; n != want {
				t.Errorf("%s: %d mails to %s, want %d", path, n, who, want)
			}
		}
	}
}

func TestNobodysDomainIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	master := tp.platformTenant(t)
	p := master.member(t) // has an address at nobody's domain, and was not asked for
	ask := func(body jsonBody) answer {
		return tp.do(t, request{method: "POST", path: "/v1/auth/request-password-reset", from: somewhere(), body: body}).want(t, 202, "")
	}
	known := tt.member(t)
	if diff := alike(ask(jsonBody{"email": known.email, "tenant_slug": tt.slug}), ask(jsonBody{"email": p.email})); diff != "" {
		t.Errorf("nobody's domain differs: %s", diff)
	}
	if n := len(master.letters(t, "reset_password", p.email)); n != 0 {
		t.Errorf("%d mails went out of the platform tenant, which was not asked", n)
	}
	tp.do(t, request{method: "POST", path: "/t/" + uniqueName() + "/v1/auth/request-password-reset", body: jsonBody{"email": p.email}}).want(t, 404, "not_found")
	ask(jsonBody{"email": known.email, "tenant_slug": tt.slug}) // in the same minute
	if n := len(tt.letters(t, "reset_password", known.email)); n != 1 {
		t.Errorf("%d mails in a minute, want 1", n)
	}
}

func TestFiftyRequestsAreOneMail(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).member(t)
	var group errgroup.Group
	for range 50 {
		group.Go(func() error { p.askReset(t); return nil })
	}
	_ = group.Wait()
	if n := len(p.letters(t, "reset_password", p.email)); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
	for _, c := range []struct {
		what  string
		asked string
		more  int
	}{
		{"a minute later there may be one", `array[now() - interval '61 seconds']`, 1},
		{"five in an hour are enough", `array_fill(now() - interval '59 minutes', array[5])`, 0},
		{"and an hour later there may be another", `array_fill(now() - interval '61 minutes', array[5])`, 1},
		{"twenty in a day are enough", `array_fill(now() - interval '23 hours', array[20])`, 0},
		{"and a day later there may be another", `array_fill(now() - interval '25 hours', array[20])`, 1},
	} {
		before := len(p.letters(t, "reset_password", p.email))
		p.exec(t, `update mail_budgets set asked = `+c.asked)
		p.askReset(t)
		if n := len(p.letters(t, "reset_password", p.email)) - before; n != c.more {
			t.Errorf("%s: %d mails", c.what, n)
		}
	}
}

func TestANetworkDoesNotAskOften(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	for _, body := range []jsonBody{{"tenant_slug": tt.slug}, {}} { // of a tenant, and of nobody's domain
		rq := request{method: "POST", path: "/v1/auth/request-password-reset", from: somewhere(), body: body}
		for i := range 6 {
			body["email"] = uniqueName() + "@people.example"
			if a := tp.do(t, rq); i < 5 {
				a.want(t, 202, "")
			} else {
				a.retryAfter(t)
			}
		}
		rq.from = somewhere()
		tp.do(t, rq).want(t, 202, "")
	}
}

func TestAResetEndsTheWaitOfAnAccount(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).member(t)
	p.fail(t, p.email)
	p.loginFrom(t, 2, p.email, goodPassword).want(t, 429, "rate_limited")
	p.use(t, linkUses[2], p.resetToken(t)).want(t, 200, "")
	p.loginFrom(t, 2, p.email, otherPassword).want(t, 200, "")
}

func TestASprayOfAddressesDoesNotGrowTheTable(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.exec(t, `insert into mail_budgets select sha256(n::text::bytea), array[now()] from generate_series(1, 20050) n
		union all select sha256(n::text::bytea), array[now() - interval '2 days'] from generate_series(30000, 30050) n`)
	for range 100 { // some of them sweep
		tt.ask(t, "/v1/auth/request-password-reset", uniqueName()+"@people.example")
	}
	if n := tt.count(t, `select count(*) from mail_budgets`); n > 20_100 {
		t.Errorf("%d budgets are kept", n)
	}
}

func TestAResetChangesNoFactorAndEndsWhatWasBegun(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	p := tt.member(t)
	tt.demandMFA(t)
	challenge := p.login(t, p.email, goodPassword).want(t, 200, "").text("challenge_id") // by one who knows the old password
	u := tt.keyedWithPassword(t)
	token := p.resetToken(t)
	p.use(t, linkUses[2], token).want(t, 200, "")
	begin := request{body: jsonBody{"challenge_id": challenge, "action": "generate"}}
	p.at(t, "POST", "/v1/auth/mfa/enroll-via-challenge", begin).want(t, 401, "challenge_expired")
	before := tt.count(t, `select count(*) from factors where user_id = $1`, u.id)
	u.use(t, linkUses[2], u.resetToken(t)).want(t, 200, "")
	if n := tt.count(t, `select count(*) from factors where user_id = $1`, u.id); n != before || n == 0 {
		t.Errorf("%d factors after the reset, %d before", n, before)
	}
	if a := u.login(t, u.email, otherPassword).want(t, 200, ""); a.field("mfa_required") != true {
		t.Errorf("no factor is asked for after a reset: %s", a.body)
	}
}

// keyedWithPassword is a member with a security key.
func (tt testTenant) keyedWithPassword(tb testing.TB) person {
	tb.Helper()
	tt.settings(tb, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "optional" }).want(tb, 200, "")
	k := tt.keyedUser(tb, "webauthn_fido")
	return person{tt, k.email, k.id}
}

func TestAResetProvesTheMailbox(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).add(t, jsonBody{"password": goodPassword}) // made by somebody else, perhaps
	p.login(t, p.email, goodPassword).want(t, 403, "email_not_verified")
	verify := p.mailed(t, "verify_email", p.email).token
	p.use(t, linkUses[2], p.resetToken(t)).want(t, 200, "")
	p.login(t, p.email, goodPassword).want(t, 401, "invalid_credentials")
	p.login(t, p.email, otherPassword).want(t, 200, "")
	p.use(t, linkUses[1], verify).want(t, 400, "invalid_token")
}

func TestAnOwnerIsInvitedOnce(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	slug := "t" + uniqueName()
	owner := slug + "@people.example"
	rq := request{method: "POST", path: "/v1/tenants", key: tp.platformKey, header: map[string]string{"Idempotency-Key": slug},
		body: jsonBody{"name": "Owned", "slug": slug, "owner_email": strings.ToUpper(owner), "owner_name": "Owner"}}
	a := tp.do(t, rq).want(t, 201, "")
	tp.do(t, rq).want(t, 201, "")
	tt := testTenant{tp, a.text("id"), slug, slug + ".localhost", a.text("admin_api_key")}
	all := tt.letters(t, "invitation", owner)
	if len(all) != 1 {
		t.Fatalf("%d invitations, want 1", len(all))
	}
	tt.at(t, "POST", "/v1/auth/set-initial-password", request{body: jsonBody{"token": all[0].token, "password": goodPassword}}).want(t, 200, "")
	tt.login(t, owner, goodPassword).want(t, 200, "")
}

func TestLinksLeadWhereTheTenantIsAndNowhereElse(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	p := tt.member(t)
	tp.do(t, request{method: "POST", path: "/v1/auth/request-password-reset", header: map[string]string{"X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"},
		body: jsonBody{"email": p.email, "tenant_slug": tt.slug}}).want(t, 202, "")
	if l := p.mailed(t, "reset_password", p.email).link; !strings.HasPrefix(l, "http://"+tt.host+":") {
		t.Errorf("the link leads to %s", l)
	}
	for _, path := range []string{"/set-password", "/verify-email", "/reset-password", "/confirm-email"} {
		for _, u := range linkUses {
			tt.at(t, "GET", u.path+"?token=x", request{}).want(t, 405, "method_not_allowed")
		}
		if a := tt.at(t, "GET", path+"?token=x", request{}); a.status >= 500 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestTheLogTellsOfLinksOnce(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).add(t, nil)
	p.use(t, linkUses[0], p.mailed(t, "invitation", p.email).token).want(t, 200, "")
	bearer := p.login(t, p.email, otherPassword).want(t, 200, "").text("token")
	p.use(t, linkUses[2], p.resetToken(t)).want(t, 200, "")
	p.profile(t, bearer).want(t, 401, "unauthenticated")
	bearer = p.login(t, p.email, otherPassword).want(t, 200, "").text("token")
	p.at(t, "POST", "/v1/users/me/email", request{bearer: bearer, body: jsonBody{"new_email": "new-" + p.email, "current_password": otherPassword}}).want(t, 202, "")
	p.use(t, linkUses[3], p.mailed(t, "confirm_email_change", "new-"+p.email).token).want(t, 200, "")
	p.use(t, linkUses[3], "ghl_made_up").want(t, 400, "invalid_token")
	for _, action := range []string{"user.invited", "email.verified", "password.initial_set", "password.reset_requested", "password.reset",
		"email.change_requested", "email.changed"} {
		if n := p.count(t, `select count(*) from audit_log where action = $1 and resource_id = $2`, action, p.id); n != 1 {
			t.Errorf("the log has %d of %s, want 1", n, action)
		}
	}
	for _, l := range p.chain(t) {
		if strings.Contains(l.Entry, "ghl_") || strings.Contains(l.Entry, "@") {
			t.Errorf("an entry holds a token or an address: %s", l.Entry)
		}
	}
	if strings.Contains(p.logs.String(), "ghl_") {
		t.Error("a token is in the service's log")
	}
}
