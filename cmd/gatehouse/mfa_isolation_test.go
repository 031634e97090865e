package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// debts are challenges of one tenant, one of each purpose, with somebody to whom each belongs.
type debts struct {
	testTenant
	app       enrolled // owes a code
	passkeyed keyed    // owes a passkey
	byPurp    map[string]string
	token     string // of a session that is stepped up
	factor    string // of the user app
	options   any    // what the user of key was asked for
	plain     string // a session of somebody with no factor
}

func newDebts(t *testing.T) debts {
	t.Helper()
	tt := sharedPlatform(t).newTenant(t)
	d := debts{testTenant: tt, app: tt.enrolledUser(t), passkeyed: tt.keyedUser(t, "webauthn_passkey"), byPurp: map[string]string{}}
	d.token = d.app.prove(t, d.app.challenge(t), "totp", d.app.app.code(t, 1)).want(t, 200, "").text("token")
	d.factor = tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/mfa", bearer: d.token}).field("methods").([]any)[0].(map[string]any)["id"].(string)
	email, _ := tt.newUser(t)
	d.plain = tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	tt.demandMFA(t)
	d.byPurp["login"] = d.app.challenge(t)
	d.byPurp["key"], d.options = d.passkeyed.asked(t)
	d.byPurp["step-up"] = tt.post(t, "/v1/auth/step-up", d.token, nil).want(t, 200, "").text("challenge_id")
	d.byPurp["enrolment"] = tt.login(t, email, goodPassword).want(t, 200, "").text("challenge_id")
	d.byPurp["passkey"], _ = tt.passkey(t)
	return d
}

// uses are the operations that take a challenge, with the purposes that each is for, and what it answers to one it is not.
func (d debts) uses(t *testing.T) map[string]struct {
	purposes string
	refusal  string
	call     func(at testTenant, challenge string) answer
} {
	t.Helper()
	post := func(path string, body map[string]any) func(testTenant, string) answer {
		return func(at testTenant, challenge string) answer {
			b := map[string]any{"challenge_id": challenge}
			for name, value := range body {
				b[name] = value
			}
			return at.post(t, path, "", b)
		}
	}
	credential := d.passkeyed.sign(t, d.options, nil)
	type use = struct {
		purposes string
		refusal  string
		call     func(at testTenant, challenge string) answer
	}
	return map[string]use{
		"a code":             {"login step-up", "challenge_expired", post("/v1/auth/mfa/challenge", map[string]any{"code": d.app.app.code(t, 2)})},
		"a backup code":      {"login step-up key", "challenge_expired", post("/v1/auth/mfa/challenge", map[string]any{"code": d.app.codes[0], "method": "backup_code"})},
		"asking for a key":   {"key", "challenge_expired", post("/v1/auth/mfa/webauthn/begin", nil)},
		"a key":              {"key", "challenge_expired", post("/v1/auth/mfa/webauthn/complete", map[string]any{"credential": credential})},
		"a new app":          {"enrolment", "challenge_expired", post("/v1/auth/mfa/enroll-via-challenge", map[string]any{"action": "generate"})},
		"confirming an app":  {"enrolment", "challenge_expired", post("/v1/auth/mfa/enroll-via-challenge", map[string]any{"action": "verify", "code": "000000"})},
		"asking for a first": {"enrolment", "challenge_expired", post("/v1/auth/mfa/enroll-via-challenge/webauthn/begin", map[string]any{"method_type": "webauthn_fido"})},
		"a first key":        {"enrolment", "challenge_expired", post("/v1/auth/mfa/enroll-via-challenge/webauthn/complete", map[string]any{"credential": credential})},
		"a passkey alone":    {"passkey", "invalid_credential", post("/v1/auth/passkey/complete", map[string]any{"credential": credential})},
	}
}

// Every operation that takes a challenge, with every challenge that is not for it: of another purpose here, of any purpose
// there, and with ids that are none.
func TestAChallengeIsOfItsTenantAndPurpose(t *testing.T) {
	t.Parallel()
	here, there := newDebts(t), newDebts(t)
	for what, use := range here.uses(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for purpose, challenge := range here.byPurp {
				if !strings.Contains(" "+use.purposes+" ", " "+purpose+" ") {
					use.call(here.testTenant, challenge).want(t, 401, use.refusal)
				}
				use.call(there.testTenant, challenge).want(t, 401, use.refusal)
			}
			for _, none := range []string{uuid.NewString(), strings.ToUpper(here.byPurp["login"]), here.byPurp["login"] + " ", "-", here.token, here.factor} {
				use.call(here.testTenant, none).want(t, 401, use.refusal)
			}
			// On the shared host the tenant that is named decides, and one that is not named is none.
			shared := here.testTenant
			shared.host = ""
			use.call(shared, here.byPurp["login"]).want(t, 400, "tenant_required")
		})
	}
}

// The right proof of one user at the challenge of another.
func TestAProofIsOfItsUser(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u, other := tt.enrolledUser(t), tt.enrolledUser(t)
	owed := u.challenge(t)
	u.prove(t, owed, "totp", other.app.code(t, 1)).want(t, 401, "invalid_code")
	u.prove(t, owed, "backup_code", other.codes[0].(string)).want(t, 401, "invalid_code")
	other.prove(t, other.challenge(t), "backup_code", other.codes[0].(string)).want(t, 200, "") // it was not spent
	u.prove(t, owed, "totp", u.app.code(t, 1)).want(t, 200, "")

	// A secret that is copied into another's row cannot be opened: it is sealed for its user.
	tt.exec(t, `update factors set secret = (select secret from factors where user_id = (select id from users where email = $1)), last_step = 0
		where user_id = (select id from users where email = $2)`, other.email, u.email)
	if a := u.prove(t, u.challenge(t), "totp", other.app.code(t, 1)); a.status == 200 {
		t.Error("somebody else's secret opened")
	}
}

// Every operation of a signed-in user with the token of another tenant, with none, and with what is no token; and every
// operation on an object with one that is somebody else's.
func TestFactorsAreOfTheirUserAndTenant(t *testing.T) {
	t.Parallel()
	here, there := newDebts(t), newDebts(t)
	operations := []request{
		{method: "GET", path: "/v1/users/me/mfa"},
		{method: "POST", path: "/v1/users/me/mfa/totp"},
		{method: "POST", path: "/v1/users/me/mfa/totp/verify", body: map[string]any{"code": "000000"}},
		{method: "POST", path: "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido"},
		{method: "POST", path: "/v1/users/me/mfa/webauthn/register/complete", body: map[string]any{"credential": map[string]any{}, "method_type": "webauthn_fido"}},
		{method: "POST", path: "/v1/users/me/mfa/backup-codes"},
		{method: "DELETE", path: "/v1/users/me/mfa/" + here.factor},
		{method: "POST", path: "/v1/auth/step-up"},
	}
	for _, o := range operations {
		t.Run(o.method+" "+o.path, func(t *testing.T) {
			t.Parallel()
			call := func(bearer, key string) answer {
				rq := o
				rq.host, rq.bearer, rq.key = here.host, bearer, key
				return here.do(t, rq)
			}
			call(there.token, "").want(t, 403, "tenant_mismatch")
			call("", there.key).want(t, 403, "tenant_mismatch")
			call("", "").want(t, 401, "unauthenticated")
			call(here.byPurp["login"], "").want(t, 401, "unauthenticated")
			if a := call("", here.key); a.status != 401 && a.status != 403 { // a key has no factors
				t.Errorf("with a key: %d %s", a.status, a.body)
			}
		})
	}
	remove := func(factor, bearer string) answer {
		return here.do(t, request{method: "DELETE", host: here.host, path: "/v1/users/me/mfa/" + factor, bearer: bearer})
	}
	remove(there.factor, here.token).want(t, 404, "not_found")
	remove(here.factor, here.plain).want(t, 404, "not_found")
	remove(uuid.NewString(), here.token).want(t, 404, "not_found")

	reset := func(user string, rq request) answer {
		rq.method, rq.host, rq.path = "POST", here.host, "/v1/users/"+user+"/reset-mfa"
		return here.do(t, rq)
	}
	reset(there.passkeyed.id, request{key: here.key}).want(t, 404, "not_found")
	reset(here.passkeyed.id, request{key: there.key}).want(t, 403, "tenant_mismatch")
	reset(here.passkeyed.id, request{bearer: here.plain}).want(t, 403, "forbidden")
	weak, _ := here.newKey(t, "users:read")
	reset(here.passkeyed.id, request{key: weak}).want(t, 403, "forbidden")

	// Nothing of it changed anything.
	list := here.do(t, request{method: "GET", host: here.host, path: "/v1/users/me/mfa", bearer: here.token}).want(t, 200, "")
	if n := len(list.field("methods").([]any)); n != 1 {
		t.Errorf("%d factors", n)
	}
	challenge, options := here.passkey(t)
	here.completePasskey(t, challenge, here.passkeyed.sign(t, options, nil)).want(t, 200, "")
}
