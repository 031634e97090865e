package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// told is a mail that was put beside its cause.
type told struct{ Kind, Address, Data string }

// watchMails keeps every mail of the tenant that is posted from now on, sent or not.
func (tt testTenant) watchMails(tb testing.TB) {
	tb.Helper()
	tt.exec(tb, `create table told (kind text, address text, data text)`)
	tt.exec(tb, `create function tell() returns trigger language plpgsql security definer set search_path from current as
		$$ begin insert into told values (new.kind, new.address, new.data); return new; end $$`)
	tt.exec(tb, `create trigger tell after insert on mails for each row execute function tell()`)
}

// mailsTo are the mails of second factors to an address, in order.
func (tt testTenant) mailsTo(tb testing.TB, address string) []told {
	tb.Helper()
	rows, err := tt.superuser(tb).Query(tb.Context(), `select kind, address, data from told where address = $1
		and (kind like '%factor%' or kind like 'backup%' or kind like 'authenticator%')`, address)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[told])
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func (tt testTenant) wantMails(tb testing.TB, address string, want ...string) {
	tb.Helper()
	got := []string{}
	for _, m := range tt.mailsTo(tb, address) {
		var data map[string]string
		if err := json.Unmarshal([]byte(m.Data), &data); err != nil {
			tb.Fatal(err)
		}
		line := m.Kind
		for _, name := range []string{"method", "device_name", "remaining"} {
			if data[name] != "" {
				line += " " + name + "=" + data[name]
			}
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		tb.Errorf("mails %q, want %q", got, want)
	}
}

// wantEvents compares what happened to a user's factors, as action with actor and the words that say more.
func (tt testTenant) wantEvents(tb testing.TB, user string, want ...string) {
	tb.Helper()
	got := []string{}
	for _, e := range tt.events(tb, url.Values{"resource_id": {user}}) {
		line := e["action"].(string)
		if line == "user.created" || line == "login.succeeded" {
			continue
		}
		line += " by " + e["actor_type"].(string)
		for _, word := range []string{"method", "purpose", "reason", "remaining", "methods"} {
			if value, is := e["metadata"].(map[string]any)[word]; is {
				text, _ := json.Marshal(value)
				line += " " + word + "=" + strings.Trim(string(text), `"`)
			}
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		tb.Errorf("events\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestWhatHappensToCodesIsRecordedOnceAndTold(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.watchMails(t)
	email, id := tt.newUser(t)
	weak := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	app := newApp(tt.post(t, "/v1/users/me/mfa/totp", weak, nil).want(t, 201, "").text("secret"))
	tt.post(t, "/v1/users/me/mfa/totp/verify", weak, map[string]any{"code": "000000"}).want(t, 400, "invalid_code")
	a := tt.post(t, "/v1/users/me/mfa/totp/verify", weak, map[string]any{"code": app.code(t, 0)}).want(t, 200, "")
	codes, _ := a.field("codes").([]any)
	u := enrolled{tt, email, app, codes}

	c := u.challenge(t)
	u.prove(t, c, "totp", "000000").want(t, 401, "invalid_code")
	u.prove(t, c, "totp", app.code(t, 0)).want(t, 401, "invalid_code") // its step is spent
	u.prove(t, c, "backup_code", "0000-0000-00000").want(t, 401, "invalid_code")
	u.prove(t, c, "backup_code", codes[0].(string)).want(t, 200, "")
	step := tt.post(t, "/v1/auth/step-up", weak, nil).want(t, 200, "").text("challenge_id")
	tt.prove(t, step, "totp", "000000").want(t, 401, "invalid_code")
	strong := tt.prove(t, step, "totp", app.code(t, 1)).want(t, 200, "").text("token")
	tt.post(t, "/v1/users/me/mfa/backup-codes", strong, nil).want(t, 200, "")
	factor := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/mfa", bearer: strong}).field("methods").([]any)[0].(map[string]any)["id"].(string)
	tt.do(t, request{method: "DELETE", host: tt.host, path: "/v1/users/me/mfa/" + factor, bearer: strong}).want(t, 204, "")
	tt.do(t, asKey(tt.host, tt.key)("POST", "/v1/users/"+id+"/reset-mfa", nil)).want(t, 204, "")

	tt.wantEvents(t, id,
		"factor.refused by user method=totp reason=wrong_code",
		"factor.added by user method=totp",
		"backup_codes.made by user",
		"challenge.failed by anonymous method=totp purpose=login reason=wrong_code",
		"challenge.failed by anonymous method=totp purpose=login reason=used_already",
		"challenge.failed by anonymous method=backup_code purpose=login reason=wrong_code",
		"backup_code.used by user purpose=login remaining=9",
		"challenge.failed by user method=totp purpose=step_up reason=wrong_code",
		"session.stepped_up by user method=pwd",
		"backup_codes.made by user",
		"factor.removed by user method=totp",
		"factors.reset by api_key methods=[]",
	)
	tt.wantMails(t, email,
		"factor_added method=totp device_name=Authenticator app",
		"backup_code_used remaining=9",
		"backup_codes_replaced remaining=10",
		"factor_removed method=totp device_name=Authenticator app",
		"factors_reset",
	)
}

func TestWhatHappensToKeysIsRecordedOnceAndTold(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.watchMails(t)
	k := tt.newAuthenticator("webauthn_passkey")
	k.cred.Counter = 9
	u := tt.keyedWith(t, k)

	challenge, options := u.asked(t)
	u.complete(t, challenge, u.sign(t, options, func(c *claim) { c.origin = "https://evil.example" })).want(t, 401, "invalid_credential")
	u.complete(t, challenge, tt.newAuthenticator("webauthn_fido").sign(t, options, nil)).want(t, 401, "invalid_credential")
	u.complete(t, challenge, u.sign(t, options, func(c *claim) { c.counter = 9 })).want(t, 401, "invalid_credential")
	passChallenge, passOptions := u.passkey(t)
	u.completePasskey(t, passChallenge, u.sign(t, passOptions, func(c *claim) { c.flags &^= 4 })).want(t, 401, "invalid_credential")
	u.completePasskey(t, passChallenge, u.sign(t, passOptions, func(c *claim) { c.counter = 3 })).want(t, 401, "invalid_credential")
	tt.completePasskey(t, passChallenge, tt.newAuthenticator("webauthn_passkey").sign(t, passOptions, nil)).want(t, 401, "invalid_credential") // nobody's
	token := u.completePasskey(t, passChallenge, u.sign(t, passOptions, nil)).want(t, 200, "").text("token")
	u.register(t, token).want(t, 400, "invalid_credential") // it is there already

	tt.wantEvents(t, u.id,
		"factor.added by user method=webauthn_passkey",
		"backup_codes.made by user",
		"challenge.failed by anonymous method=webauthn_passkey purpose=login reason=wrong_origin",
		"challenge.failed by anonymous method=webauthn purpose=login reason=unknown_credential",
		"factor.suspected by anonymous method=webauthn_passkey purpose=login",
		"login.failed by anonymous method=webauthn_passkey reason=does_not_verify",
		"factor.suspected by anonymous method=webauthn_passkey",
		"factor.refused by user method=webauthn_passkey reason=registered_already",
	)
	tt.wantMails(t, u.email,
		"factor_added method=webauthn_passkey device_name=My key",
		"authenticator_suspect method=webauthn_passkey device_name=My key",
		"authenticator_suspect method=webauthn_passkey device_name=My key",
	)
}

// What is refused at once is recorded once each, and what is accepted once is recorded once.
func TestAtOnceEachRefusalIsRecordedAndTheSuccessOnce(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.watchMails(t)
	u := tt.enrolledUser(t)
	code := u.codes[0].(string)
	challenges := []string{u.challenge(t), u.challenge(t), u.challenge(t), u.challenge(t)}
	answers := atOnce(len(challenges), func(i int) answer { return u.prove(t, challenges[i], "backup_code", code) })
	count := map[int]int{}
	for _, a := range answers {
		count[a.status]++
	}
	if count[200] != 1 || count[401] != 3 {
		t.Errorf("answers %v, want one 200 and three 401", count)
	}
	for action, n := range map[string]int{"backup_code.used": 1, "challenge.failed": 3} {
		if got := len(tt.events(t, url.Values{"action": {action}})); got != n {
			t.Errorf("%d entries of %s, want %d", got, action, n)
		}
	}
	tt.wantMails(t, u.email, "factor_added method=totp device_name=Authenticator app", "backup_code_used remaining=9")
}
