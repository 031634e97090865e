package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
)

// How the mails that carry links fare on their way.

func TestAMailThatIsTriedAgainCarriesALinkOfItsOwn(t *testing.T) {
	t.Parallel()
	tt := startPlatform(t).newTenant(t)
	p := tt.member(t)
	var tried atomic.Int32
	tt.mails.Taking = func(string) error {
		if tried.Add(1) == 1 {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}
	p.use(t, linkUses[2], p.resetToken(t)).want(t, 200, "")
	if n := tt.count(t, `select count(*) from audit_log where action = 'password.reset_requested'`); tried.Load() < 2 || n != 1 {
		t.Errorf("%d attempts and %d entries, want 2 and 1", tried.Load(), n)
	}
}

// A mail server that has the mail and cannot say so gets it again. Whoever has used the link by then gets no other.
func TestALinkThatWasUsedIsNotMailedAgain(t *testing.T) {
	t.Parallel()
	tt := startPlatform(t).newTenant(t)
	p := tt.add(t, nil)
	token := p.mailed(t, "invitation", p.email).token
	p.use(t, linkUses[0], token).want(t, 200, "")
	tt.exec(t, `insert into mails (id, kind, user_id, address, data, created_at)
		select mail_id, 'invitation', user_id, address, '{}', requested_at from links where user_id = $1`, p.id)
	tt.exec(t, `update users set password_hash = null, email_verified = false where id = $1`, p.id) // as if there were a use for one
	if n := len(p.letters(t, "invitation", p.email)); n != 1 {
		t.Errorf("%d invitations, want 1", n)
	}
}

// The older of two requests may be answered last. Its mail is not sent: the link of the newer one stays good.
func TestAnOlderRequestDoesNotKillTheNewerLink(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).member(t)
	token := p.resetToken(t)
	p.exec(t, `insert into mails (id, kind, address, data, created_at) values (gen_random_uuid(), 'reset_password', $1, '{}', now() - interval '1 minute')`, p.email)
	if n := len(p.letters(t, "reset_password", p.email)); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
	p.use(t, linkUses[2], token).want(t, 200, "")
}

// The first mail of a tenant is posted with its schema, before anybody knows the tenant.
func TestTheFirstMailWaitsForTheTenant(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	state := func(s string) {
		tt.exec(t, `update control.tenants set state = $2, blueprint = case when $2 = 'provisioning' then '{}' end where id = $1`, tt.id, s)
		want := 404
		if s == "active" {
			want = 200
		}
		eventually(t, 10*time.Second, "the tenant is "+s, func() bool { return tt.at(t, "GET", "/v1/auth/providers", request{}).status == want })
	}
	state("provisioning")
	email := uniqueName() + "@people.example"
	tt.exec(t, `insert into mails (id, kind, address, data, created_at) values ($1, 'account_exists', $2, '{}', now())`, uuid.Must(uuid.NewV7()).String(), email)
	eventually(t, 30*time.Second, "the sender has looked at it", func() bool {
		return tt.count(t, `select count(*) from jobs.river_job where kind = 'mail' and args->>'tenant' = $1
			and (state = 'scheduled' or metadata->>'snoozes' is not null)`, tt.id) == 1
	})
	state("active")
	tt.mailTo(t, email, 1)
}

func TestADeletedUserIsTold(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	p, unproved := tt.member(t), tt.add(t, nil)
	for _, u := range []person{p, unproved} {
		tt.at(t, "DELETE", "/v1/users/"+u.id, request{key: tt.key}).want(t, 204, "")
	}
	if n := len(tt.letters(t, "account_deleted", p.email)); n != 1 {
		t.Errorf("told %d times, want 1", n)
	}
	if n := len(tt.letters(t, "account_deleted", unproved.email)); n != 0 {
		t.Errorf("%d mails to an address nobody proved", n)
	}
	p.login(t, p.email, goodPassword).want(t, 401, "invalid_credentials")
}

// A mail that waits has no link yet. Whoever asked for it with a stolen session, and was shut out since, gets none.
func TestWhatWasAskedForBeforeSomebodyWasShutOutIsNotMailed(t *testing.T) {
	t.Parallel()
	for name, shutOut := range map[string]func(*testing.T, person){
		"a changed password": func(t *testing.T, p person) {
			change := request{bearer: p.signIn(t), body: jsonBody{"current_password": goodPassword, "new_password": otherPassword}}
			p.at(t, "POST", "/v1/users/me/password", change).want(t, 204, "")
		},
		"signing out everywhere": func(t *testing.T, p person) {
			p.at(t, "POST", "/v1/auth/logout-all", request{bearer: p.signIn(t)}).want(t, 204, "")
		},
		"a suspension that is over": func(t *testing.T, p person) {
			for _, active := range []bool{false, true} {
				p.at(t, "POST", "/v1/users/"+p.id+"/suspend", request{key: p.key, body: jsonBody{"active": active}}).want(t, 200, "")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt := startPlatform(t).newTenant(t)
			p := tt.member(t)
			other := "new-" + p.email
			var away atomic.Bool
			away.Store(true)
			tt.mails.Taking = func(string) error {
				if away.Load() {
					return &smtp.SMTPError{Code: 451, Message: "later"}
				}
				return nil
			}
			p.askChange(t, p.signIn(t), other).want(t, 202, "")
			p.askReset(t)
			shutOut(t, p)
			away.Store(false)
			eventually(t, 30*time.Second, "no mail waits", func() bool { return tt.count(t, `select count(*) from mails`) == 0 })
			// The race: one that was being handed over at that moment arrives, with a link that is dead. What is composed afterwards would be alive.
			if n := len(p.letters(t, "confirm_email_change", other)) + len(p.letters(t, "reset_password", p.email)); n > 1 {
				t.Errorf("%d links were mailed", n)
			}
			if n := tt.count(t, `select count(*) from links where user_id = $1`, p.id); n != 0 {
				t.Errorf("%d links are there", n)
			}
		})
	}
}

func TestSigningOutEverywhereKillsLinks(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"/v1/auth/logout-all", "/v1/users/{id}/revoke-sessions"} {
		p := sharedPlatform(t).newTenant(t).member(t)
		token := p.changeToken(t, "new-"+p.email)
		rq := request{key: p.key}
		if by == "/v1/auth/logout-all" {
			rq = request{bearer: p.signIn(t)}
		}
		p.at(t, "POST", strings.Replace(by, "{id}", p.id, 1), rq).want(t, 204, "")
		p.use(t, linkUses[3], token).want(t, 400, "invalid_token")
	}
}

// Each change of address that is asked for is a mail to wherever the asker likes, and one to the address there is.
func TestAUserIsNoCannonOfMails(t *testing.T) {
	t.Parallel()
	p := sharedPlatform(t).newTenant(t).member(t)
	token := p.signIn(t)
	asked := 0
	for asked < 20 && p.askChange(t, token, uniqueName()+"@people.example").status == 202 {
		asked++
	}
	if asked != 5 {
		t.Errorf("%d changes were taken, want 5", asked)
	}
	p.askChange(t, token, uniqueName()+"@people.example").want(t, 429, "rate_limited")
	if n := len(p.letters(t, "email_changed", p.email)); n != 1 {
		t.Errorf("the old address was told %d times, want once a minute", n)
	}
}
