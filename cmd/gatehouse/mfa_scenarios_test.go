package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// Scenarios of second factors, told step by step; and each again with everything that one person does in turn done at once.

// atOnce does something n times at the same moment.
func atOnce(n int, do func(i int) answer) []answer {
	all := make([]answer, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			all[i] = do(i)
		})
	}
	done.Wait()
	return all
}

// insist does again what a busy machine could not do. Nothing that is good once was spent by a 503.
func insist(do func() answer) answer {
	a := do()
	for a.status == http.StatusServiceUnavailable {
		a = do()
	}
	return a
}

// tally counts answers by status and code, as "401 invalid_code".
func tally(answers []answer) map[string]int {
	all := map[string]int{}
	for _, a := range answers {
		all[strings.TrimSpace(fmt.Sprint(a.status, " ", a.text("code")))]++
	}
	return all
}

func (tt testTenant) failures(tb testing.TB, email string) int {
	tb.Helper()
	return tt.count(tb, `select coalesce(sum(consecutive), 0) from factor_failures f join users u on u.id = f.user_id where email = $1`, email)
}

func TestWrongFiveTimesIsTheEndOfAChallengeAndNotOfTheAccount(t *testing.T) {
	t.Parallel()
	t.Run("in turn", func(t *testing.T) {
		t.Parallel()
		u := sharedPlatform(t).newTenant(t).enrolledUser(t)
		owed := u.challenge(t)
		for range 5 {
			u.prove(t, owed, "totp", "000000").want(t, 401, "invalid_code")
		}
		u.prove(t, owed, "totp", u.app.code(t, 1)).want(t, 401, "challenge_expired")
		u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "") // five were free
		if n := u.failures(t, u.email); n != 0 {
			t.Errorf("%d wrong answers are remembered after a right one", n)
		}
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		u := sharedPlatform(t).newTenant(t).enrolledUser(t)
		owed := u.challenge(t)
		got := tally(atOnce(50, func(int) answer { return u.prove(t, owed, "totp", "000000") }))
		if got["401 invalid_code"] != 5 || got["401 challenge_expired"] != 45 {
			t.Errorf("answers %v, want five looked at", got)
		}
		u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "")
	})
}

func TestTheSixthWrongAnswerMakesTheAccountWaitWhateverTheChallenge(t *testing.T) {
	t.Parallel()
	t.Run("in turn", func(t *testing.T) {
		t.Parallel()
		u := sharedPlatform(t).newTenant(t).enrolledUser(t)
		for range 6 {
			u.prove(t, u.challenge(t), "totp", "000000").want(t, 401, "invalid_code")
		}
		for _, right := range []string{u.app.code(t, 1), "000000"} {
			u.prove(t, u.challenge(t), "totp", right).want(t, 429, "rate_limited") // right and wrong alike
		}
		u.prove(t, u.challenge(t), "backup_code", u.codes[0].(string)).want(t, 429, "rate_limited")
		if n := u.failures(t, u.email); n != 6 {
			t.Errorf("%d wrong answers are counted, want 6: what is not looked at is not counted", n)
		}
		u.exec(t, `update factor_failures set blocked_until = now()`)
		u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "")
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		u := sharedPlatform(t).newTenant(t).enrolledUser(t)
		owed := make([]string, 10)
		for i := range owed {
			owed[i] = u.challenge(t)
		}
		got := tally(atOnce(50, func(i int) answer { return u.prove(t, owed[i%len(owed)], "totp", "000000") }))
		// The sixth makes all wait for two seconds, in which the other 44 are over, or a few are looked at after it.
		looked := got["401 invalid_code"]
		if looked < 6 || looked > 8 || looked != u.failures(t, u.email) || looked+got["429 rate_limited"]+got["401 challenge_expired"] != 50 {
			t.Errorf("answers %v, %d counted", got, u.failures(t, u.email))
		}
	})
}

func TestAHundredWrongAnswersInARowWantSomebodyToResetThem(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.enrolledUser(t)
	u.exec(t, `insert into factor_failures (user_id, failures, consecutive, last_at, blocked_until)
		select id, 1, 99, now() - interval '2 days', now() - interval '1 day' from users where email = $1`, u.email)
	u.prove(t, u.challenge(t), "totp", "000000").want(t, 401, "invalid_code") // the hundredth
	u.exec(t, `update factor_failures set blocked_until = now() - interval '1 day'`)
	u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 429, "rate_limited")
	id := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users?email=" + u.email, key: tt.key}).data(t)[0]["id"].(string)
	tt.do(t, asKey(tt.host, tt.key)("POST", "/v1/users/"+id+"/reset-mfa", nil)).want(t, 204, "")
	u.login(t, u.email, goodPassword).want(t, 200, "").wantMembers(t, "", "token,expires_at,refresh_token,refresh_expires_at,tenant_id")
}

func TestBackupCodesUsedAtOnceAreToldApart(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	owed := []string{u.challenge(t), u.challenge(t), u.challenge(t), u.challenge(t)}
	answers := atOnce(len(owed), func(i int) answer { return u.prove(t, owed[i], "backup_code", u.codes[i].(string)) })
	var left []float64
	for _, a := range answers {
		left = append(left, a.want(t, 200, "").field("backup_codes_remaining").(float64))
	}
	if slices.Sort(left); !slices.Equal(left, []float64{6, 7, 8, 9}) {
		t.Errorf("left are %v", left)
	}
	// Two codes at one challenge: one is used, and the other is still good.
	challenge := u.challenge(t)
	answers = atOnce(2, func(i int) answer { return u.prove(t, challenge, "backup_code", u.codes[4+i].(string)) })
	unused := u.codes[4].(string)
	if answers[0].status == http.StatusOK {
		unused = u.codes[5].(string)
	}
	if got := tally(answers); got["200"] != 1 {
		t.Errorf("answers %v, want one token", got)
	}
	if a := u.prove(t, u.challenge(t), "backup_code", unused).want(t, 200, ""); a.field("backup_codes_remaining") != 4.0 {
		t.Errorf("left are %v, want 4", a.field("backup_codes_remaining"))
	}
}

// Each of ten codes in turn by fifty at once, at as many challenges as there may be.
func TestABackupCodeIsGoodOnceHoweverManyTryAtOnce(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).enrolledUser(t)
	token := ""
	for round := range testenv.Rounds(t) {
		if round%10 == 0 && round > 0 {
			u.codes = u.post(t, "/v1/users/me/mfa/backup-codes", token, nil).want(t, 200, "").field("codes").([]any)
		}
		challenges := make([]string, 5)
		for i := range challenges {
			challenges[i] = u.challenge(t)
		}
		code := u.codes[round%10].(string)
		answers := atOnce(50, func(i int) answer {
			return insist(func() answer { return u.prove(t, challenges[i%len(challenges)], "backup_code", code) })
		})
		if got := tally(answers); got["200"] != 1 {
			t.Fatalf("answers %v, want one token", got)
		}
		token = answers[slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusOK })].text("token")
		u.exec(t, `delete from factor_failures`)
	}
}

func TestTheFirstFactorIsEnrolledOnce(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.demandMFA(t)
	owed := func(email string) string {
		return tt.login(t, email, goodPassword).want(t, 200, "").wantMembers(t, "", "enrollment_required,challenge_id,methods").text("challenge_id")
	}
	generate := func(challenge string) app {
		return newApp(tt.post(t, "/v1/auth/mfa/enroll-via-challenge", "", map[string]any{"challenge_id": challenge, "action": "generate"}).want(t, 200, "").text("secret"))
	}
	verify := func(challenge, code string) answer {
		return tt.post(t, "/v1/auth/mfa/enroll-via-challenge", "", map[string]any{"challenge_id": challenge, "action": "verify", "code": code})
	}
	begin := func(challenge string) any {
		return tt.post(t, "/v1/auth/mfa/enroll-via-challenge/webauthn/begin", "", map[string]any{"challenge_id": challenge, "method_type": "webauthn_passkey"}).want(t, 200, "").field("options")
	}
	complete := func(challenge string, credential any) answer {
		return tt.post(t, "/v1/auth/mfa/enroll-via-challenge/webauthn/complete", "", map[string]any{"challenge_id": challenge, "credential": credential})
	}
	t.Run("in turn", func(t *testing.T) {
		t.Parallel()
		email, _ := tt.newUser(t)
		first, second := owed(email), owed(email)
		k := tt.newAuthenticator("webauthn_passkey")
		made := k.make(t, begin(second))
		verify(first, generate(first).code(t, 0)).want(t, 200, "")
		complete(second, made).want(t, 409, "already_enrolled") // a password alone adds no second one
	})
	t.Run("at once, with an app and with passkeys", func(t *testing.T) {
		t.Parallel()
		email, id := tt.newUser(t)
		byApp := owed(email)
		app := generate(byApp)
		challenges, made := make([]string, 4), make([]any, 4)
		for i := range challenges {
			challenges[i] = owed(email)
			made[i] = tt.newAuthenticator("webauthn_passkey").make(t, begin(challenges[i]))
		}
		answers := atOnce(5, func(i int) answer {
			if i == 4 {
				return verify(byApp, app.code(t, 0))
			}
			return complete(challenges[i], made[i])
		})
		if got := tally(answers); got["200"] != 1 || got["409 already_enrolled"] != 4 {
			t.Errorf("answers %v, want one token", got)
		}
		if n := tt.count(t, `select count(*) from factors where user_id = $1 and confirmed_at is not null`, id); n != 1 {
			t.Errorf("%d factors", n)
		}
	})
}

func TestAStepUpIsOfItsSession(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	// stale has an app, and a session from before it.
	stale := func(t *testing.T) (email, token string, app app) {
		t.Helper()
		email, _ = tt.newUser(t)
		token = tt.login(t, email, goodPassword).want(t, 200, "").text("token")
		app = newApp(tt.post(t, "/v1/users/me/mfa/totp", token, nil).want(t, 201, "").text("secret"))
		tt.post(t, "/v1/users/me/mfa/totp/verify", token, map[string]any{"code": app.code(t, 0)}).want(t, 200, "")
		return email, token, app
	}
	t.Run("and ends with it", func(t *testing.T) {
		t.Parallel()
		email, token, app := stale(t)
		challenge := tt.post(t, "/v1/auth/step-up", token, nil).want(t, 200, "").text("challenge_id")
		tt.exec(t, `delete from sessions where user_id = (select id from users where email = $1)`, email)
		tt.prove(t, challenge, "totp", app.code(t, 1)).want(t, 401, "challenge_expired")
	})
	t.Run("and is done once, of fifty at once", func(t *testing.T) {
		t.Parallel()
		_, token, app := stale(t)
		challenge := tt.post(t, "/v1/auth/step-up", token, nil).want(t, 200, "").text("challenge_id")
		answers := atOnce(50, func(int) answer { return tt.prove(t, challenge, "totp", app.code(t, 1)) })
		if got := tally(answers); got["200"] != 1 {
			t.Fatalf("answers %v, want one token", got)
		}
		for _, a := range answers {
			if a.status == http.StatusOK && claims(t, a.text("token"))["sid"] != claims(t, token)["sid"] {
				t.Error("not the same session")
			}
		}
	})
}

func TestOfTwoRequiredFactorsOneStays(t *testing.T) {
	t.Parallel()
	for name, together := range map[string]bool{"in turn": false, "at once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt := sharedPlatform(t).newTenant(t)
			u := tt.enrolledUser(t)
			token := u.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "").text("token")
			tt.newAuthenticator("webauthn_fido").register(t, token).want(t, 200, "")
			tt.demandMFA(t)
			list := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/mfa", bearer: token}).field("methods").([]any)
			remove := func(i int) answer {
				return tt.do(t, request{method: "DELETE", host: tt.host, path: "/v1/users/me/mfa/" + list[i].(map[string]any)["id"].(string), bearer: token})
			}
			var answers []answer
			if together {
				answers = atOnce(2, remove)
			} else {
				answers = []answer{remove(0), remove(1)}
			}
			if got := tally(answers); got["204"] != 1 || got["409 last_factor"] != 1 {
				t.Errorf("answers %v", got)
			}
		})
	}
}

func TestWhatHappensToAnAccountUnderAChallengeEndsIt(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	by := asKey(tt.host, tt.key)
	for name, change := range map[string]func(id string) request{
		"suspended": func(id string) request { return by("POST", "/v1/users/"+id+"/suspend", jsonBody{"active": false}) },
		"deleted":   func(id string) request { return by("DELETE", "/v1/users/"+id, nil) },
		"reset":     func(id string) request { return by("POST", "/v1/users/"+id+"/reset-mfa", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := tt.enrolledUser(t)
			id := tt.do(t, by("GET", "/v1/users?email="+u.email, nil)).data(t)[0]["id"].(string)
			challenge := u.challenge(t)
			tt.do(t, change(id))
			u.prove(t, challenge, "totp", u.app.code(t, 1)).want(t, 401, "challenge_expired")
		})
		t.Run(name+" at once", func(t *testing.T) {
			t.Parallel()
			u := tt.enrolledUser(t)
			id := tt.do(t, by("GET", "/v1/users?email="+u.email, nil)).data(t)[0]["id"].(string)
			challenge := u.challenge(t)
			answers := atOnce(2, func(i int) answer {
				// The two may wait for each other's rows; Postgres ends one of them then, whose answer is 503.
				return insist(func() answer {
					if i == 0 {
						return tt.do(t, change(id))
					}
					return u.prove(t, challenge, "totp", u.app.code(t, 1))
				})
			})
			if answers[0].status >= 300 && answers[0].status != http.StatusNotFound { // deleted by a try that was answered too late
				t.Fatalf("the change: %d %s", answers[0].status, answers[0].body)
			}
			// Whoever got in first has no session left.
			if token := answers[1].text("token"); token != "" {
				tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/mfa", bearer: token}).want(t, 401, "unauthenticated")
			} else if answers[1].status != http.StatusUnauthorized {
				t.Errorf("answer %d %s", answers[1].status, answers[1].body)
			}
		})
	}
}
