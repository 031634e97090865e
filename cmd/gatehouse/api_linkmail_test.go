package main

import (
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
