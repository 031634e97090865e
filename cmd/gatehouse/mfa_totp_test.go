package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// settings replaces a tenant's settings after a change, and waits until this replica has heard of it.
func (tt testTenant) settings(tb testing.TB, change func(map[string]any)) answer {
	tb.Helper()
	now := tt.do(tb, request{method: "GET", host: tt.host, path: "/v1/settings", key: tt.key}).want(tb, 200, "")
	var s map[string]any
	if err := json.Unmarshal(now.body, &s); err != nil {
		tb.Fatal(err)
	}
	change(s)
	a := tt.do(tb, request{method: "PUT", host: tt.host, path: "/v1/settings", key: tt.key, body: s})
	if a.status == http.StatusOK {
		eventually(tb, 20*time.Second, "the new settings are heard of", func() bool {
			set, err := tt.platform.settings.Of(tb.Context(), tt.record(tb))
			return err == nil && string(mustJSON(tb, set)) == strings.TrimSpace(string(a.body))
		})
	}
	return a
}

// record is the tenant as this replica knows it.
func (tt testTenant) record(tb testing.TB) tenancy.Tenant {
	tb.Helper()
	slug, err := tenancy.ParseSlug(tt.slug)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := tt.directory.BySlug(tb.Context(), slug)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func (tt testTenant) demandMFA(tb testing.TB) {
	tb.Helper()
	tt.settings(tb, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "all" }).want(tb, 200, "")
}

// app is an authenticator app whose clock stands still, at the time its secret was made: a test that asks it twice for the
// code of one step gets the same code, also when the half minute ends in between.
type app struct {
	secret string
	made   time.Time
}

func newApp(secret string) app { return app{secret, time.Now()} }

// code is the one of so many steps after the secret was made. 0 and 1 are accepted, in this order, for half a minute at
// least: the service takes the step before and the one after its own.
func (a app) code(tb testing.TB, steps int) string {
	tb.Helper()
	code, err := totp.GenerateCode(a.secret, a.made.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// enrolled is a user with an authenticator, confirmed with its code of step 0.
type enrolled struct {
	testTenant
	email string
	app   app
	codes []any
}

func (tt testTenant) enrolledUser(tb testing.TB) enrolled {
	tb.Helper()
	email, _ := tt.newUser(tb)
	token := tt.login(tb, email, goodPassword).want(tb, 200, "").text("token")
	app := newApp(tt.post(tb, "/v1/users/me/mfa/totp", token, nil).want(tb, 201, "").text("secret"))
	done := tt.post(tb, "/v1/users/me/mfa/totp/verify", token, map[string]any{"code": app.code(tb, 0)}).want(tb, 200, "")
	codes, _ := done.field("codes").([]any)
	return enrolled{tt, email, app, codes}
}

func (tt testTenant) post(tb testing.TB, path, token string, body any) answer {
	tb.Helper()
	return tt.do(tb, request{method: "POST", host: tt.host, path: path, bearer: token, body: body})
}

// challenge signs in with the password and returns the challenge.
func (e enrolled) challenge(tb testing.TB) string {
	tb.Helper()
	a := e.login(tb, e.email, goodPassword).want(tb, 200, "")
	if a.field("mfa_required") != true || a.field("token") != nil || a.text("challenge_id") == "" {
		tb.Fatalf("not a challenge: %s", a.body)
	}
	return a.text("challenge_id")
}

func (tt testTenant) prove(tb testing.TB, challenge, method, code string) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/mfa/challenge", "", map[string]any{"challenge_id": challenge, "code": code, "method": method})
}

func claims(tb testing.TB, token string) map[string]any {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		tb.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestWhoHasAnAuthenticatorOwesACode(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	if len(u.codes) != 10 {
		t.Errorf("%d backup codes, want 10", len(u.codes))
	}
	c := u.challenge(t)
	u.prove(t, c, "totp", "000000").want(t, 401, "invalid_code")
	token := u.prove(t, c, "totp", u.app.code(t, 1)).want(t, 200, "").text("token")
	got := claims(t, token)
	if amr, _ := json.Marshal(got["amr"]); string(amr) != `["pwd","otp","mfa"]` || got["acr"] != "aal2" {
		t.Errorf("amr %s, acr %v", amr, got["acr"])
	}
	u.prove(t, c, "totp", u.app.code(t, 2)).want(t, 401, "challenge_expired")
	u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 401, "invalid_code") // the step is spent
}

func TestACodeIsGoodOnceHoweverManyTryAtOnce(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	code := u.app.code(t, 1)
	for range testenv.Rounds(t) {
		challenges := make([]string, 5)
		for i := range challenges {
			challenges[i] = u.challenge(t)
		}
		answers := atOnce(50, func(i int) answer {
			return insist(func() answer { return u.prove(t, challenges[i%len(challenges)], "totp", code) })
		})
		if got := tally(answers); got["200"] != 1 {
			t.Fatalf("answers %v, want one token", got)
		}
		u.exec(t, `update factors set last_step = 0`) // for the next round, which would have to wait for half a minute
		u.exec(t, `delete from factor_failures`)
	}
}

func TestWrongCodesMakeTheAccountWait(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	first := u.challenge(t)
	for range 5 {
		u.prove(t, first, "totp", "000000").want(t, 401, "invalid_code")
	}
	u.prove(t, first, "totp", "000000").want(t, 401, "challenge_expired") // five tries
	second := u.challenge(t)
	u.prove(t, second, "totp", "000000").want(t, 401, "invalid_code") // the sixth wrong answer
	a := u.prove(t, second, "totp", u.app.code(t, 1)).want(t, 429, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 429, "rate_limited") // no new challenge resets it
}

func TestABackupCodeIsGoodOnce(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	code := u.codes[3].(string)
	a := u.prove(t, u.challenge(t), "backup_code", strings.ToLower(code)).want(t, 200, "")
	if a.field("backup_codes_remaining") != 9.0 {
		t.Errorf("remaining: %v", a.field("backup_codes_remaining"))
	}
	if got := claims(t, a.text("token")); got["acr"] != "aal2" {
		t.Errorf("acr %v", got["acr"])
	}
	u.prove(t, u.challenge(t), "backup_code", code).want(t, 401, "invalid_code")
}

func TestWhoHasToHaveAFactorEnrolsBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	tt.demandMFA(t)
	a := tt.login(t, email, goodPassword).want(t, 200, "")
	if a.field("enrollment_required") != true || a.field("token") != nil || a.field("mfa_required") != nil {
		t.Fatalf("not an enrolment answer: %s", a.body)
	}
	c := a.text("challenge_id")
	tt.prove(t, c, "totp", "000000").want(t, 401, "challenge_expired") // an enrolment is no login challenge
	made := tt.post(t, "/v1/auth/mfa/enroll-via-challenge", "", map[string]any{"challenge_id": c, "action": "generate"}).want(t, 200, "")
	if !strings.HasPrefix(made.text("qr_uri"), "otpauth://totp/") {
		t.Errorf("qr_uri %s", made.text("qr_uri"))
	}
	app := newApp(made.text("secret"))
	verify := func(code string) answer {
		return tt.post(t, "/v1/auth/mfa/enroll-via-challenge", "", map[string]any{"challenge_id": c, "action": "verify", "code": code})
	}
	verify("000000").want(t, 400, "invalid_code")
	done := verify(app.code(t, 0)).want(t, 200, "")
	if codes, _ := done.field("backup_codes").([]any); len(codes) != 10 || done.text("token") == "" {
		t.Errorf("answer: %s", done.body)
	}
	verify(app.code(t, 1)).want(t, 401, "challenge_expired")
	if a := tt.login(t, email, goodPassword); a.field("mfa_required") != true {
		t.Errorf("the next login: %s", a.body)
	}
}

func TestAStepUpRaisesTheSessionThereIs(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	weak := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	tt.post(t, "/v1/auth/step-up", weak, nil).want(t, 409, "no_factor")
	app := newApp(tt.post(t, "/v1/users/me/mfa/totp", weak, nil).want(t, 201, "").text("secret"))
	tt.post(t, "/v1/users/me/mfa/totp/verify", weak, map[string]any{"code": app.code(t, 0)}).want(t, 200, "")

	tt.post(t, "/v1/users/me/mfa/backup-codes", weak, nil).want(t, 403, "reauthentication_required")
	c := tt.post(t, "/v1/auth/step-up", weak, nil).want(t, 200, "").text("challenge_id")
	strong := tt.prove(t, c, "totp", app.code(t, 1)).want(t, 200, "").text("token")
	was, is := claims(t, weak), claims(t, strong)
	if was["sid"] != is["sid"] || is["acr"] != "aal2" || was["acr"] != "aal1" {
		t.Errorf("before %v, after %v", was, is)
	}
	tt.post(t, "/v1/users/me/mfa/backup-codes", strong, nil).want(t, 200, "")
}

func TestTheLastRequiredFactorStays(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	token := u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "").text("token")
	list := u.do(t, request{method: "GET", host: u.host, path: "/v1/users/me/mfa", bearer: token}).want(t, 200, "")
	id := list.field("methods").([]any)[0].(map[string]any)["id"].(string)
	remove := request{method: "DELETE", host: u.host, path: "/v1/users/me/mfa/" + id, bearer: token}
	u.demandMFA(t)
	u.do(t, remove).want(t, 409, "last_factor")
	u.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "optional" }).want(t, 200, "")
	u.do(t, remove).want(t, 204, "")
	if a := u.login(t, u.email, goodPassword).want(t, 200, ""); a.text("token") == "" {
		t.Errorf("without a factor: %s", a.body)
	}
}

func TestAnAdministratorTakesNoFactorAwayWithAPasswordAlone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	reset := func(token, user string) answer {
		return tt.post(t, "/v1/users/"+user+"/reset-mfa", token, nil)
	}
	email, admin := tt.newUser(t, "admin")
	_, other := tt.newUser(t)
	weak := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	app := newApp(tt.post(t, "/v1/users/me/mfa/totp", weak, nil).want(t, 201, "").text("secret"))
	tt.post(t, "/v1/users/me/mfa/totp/verify", weak, map[string]any{"code": app.code(t, 0)}).want(t, 200, "")
	reset(weak, admin).want(t, 403, "forbidden") // their own, which nobody takes away at once
	reset(weak, other).want(t, 403, "reauthentication_required")
	c := tt.post(t, "/v1/auth/step-up", weak, nil).want(t, 200, "").text("challenge_id")
	strong := tt.prove(t, c, "totp", app.code(t, 1)).want(t, 200, "").text("token")
	reset(strong, admin).want(t, 403, "forbidden")
	reset(strong, other).want(t, 204, "")
}

func TestAPictureHoldsTheLongestName(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.do(t, request{method: "PUT", path: "/v1/tenants/" + tt.id, key: tt.platformKey, body: map[string]any{"name": strings.Repeat("𝔊", 100)}}).want(t, 200, "")
	token, _ := tt.signIn(t)
	a := tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users/me/mfa/totp", bearer: token, header: map[string]string{"Accept": "image/png"}})
	if a.status != 201 || a.header.Get("Content-Type") != "image/png" {
		t.Errorf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
}
