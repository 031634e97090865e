package mfa

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// What happens to second factors is recorded in the transaction that makes it happen, and its user is told by mail: whoever
// got into an account adds a factor of their own next. A factor that was proved is no event of its own: it is in the amr of
// the login or step-up that identity records.

func (f *Factors) event(a audit.Action, by audit.Actor, u id.User) audit.Event {
	return audit.Event{Action: a, Actor: by, At: f.Now()}.User(u)
}

// byUser is somebody who acts with a proof of who they are.
func byUser(u id.User) audit.Actor { return audit.Actor{Type: audit.ByUser, ID: u.String()} }

// prover is who tries to prove a challenge: the user of a session that is stepped up, and else somebody who may know no
// more than the user's password.
func (c challenge) prover() audit.Actor {
	if c.purpose == purposeStepUp {
		return byUser(c.proof.User)
	}
	return audit.Actor{Type: audit.ByAnonymous}
}

// failed is a try at a challenge that was no proof.
func (f *Factors) failed(a attempt, method string) audit.Event {
	return f.event("challenge.failed", a.prover(), a.proof.User).With("method", method).With("purpose", a.purpose)
}

// tell writes to a user, and records why, at the end of a transaction.
func (f *Factors) tell(ctx context.Context, tx tenancy.Tx, to identity.User, k mail.Kind, data map[string]string, events ...audit.Event) error {
	if err := mail.Post(ctx, tx, mail.Mail{Kind: k, User: to.ID, Address: string(to.Email), Data: data, At: f.Now()}); err != nil {
		return err
	}
	for _, e := range events {
		if err := audit.Record(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

func remaining(codes int) map[string]string {
	return map[string]string{"remaining": strconv.Itoa(codes)}
}

// deny is the answer to a proof that was refused, once the refusal is committed: one that cannot be recorded is an outage
// and not a refusal. The event is told the reason. used is the credential the proof was by, if it is the user's.
func (f *Factors) deny(ctx context.Context, t tenancy.Tenant, e audit.Event, u id.User, used credential, why error, answer *problem.Error) error {
	r, _ := errors.AsType[*refusal](why)
	f.logRefusal(ctx, t, u, e.Action, why)
	var err error
	switch {
	case u.IsZero():
		// Belongs to nobody, so that anybody can cause it in any number.
	case r.reason == reasonCounter:
		err = f.suspect(ctx, t, e, u, used)
	default:
		e = e.With("reason", r.reason)
		err = f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { audit.Queue(ctx, b, t, e) })
	}
	if err != nil {
		return err
	}
	return answer
}

// suspect tells of a signature counter that went back. The proof was right, so somebody has a copy of the key, or the
// authenticator forgot.
func (f *Factors) suspect(ctx context.Context, t tenancy.Tenant, e audit.Event, u id.User, k credential) error {
	e.Action = "factor.suspected"
	return f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if problem.Is(err, "not_found") {
			return nil // gone meanwhile
		}
		if err != nil {
			return err
		}
		return f.tell(ctx, tx, user, letter.AuthenticatorSuspect, map[string]string{"method": k.method, "device_name": k.device}, e.With("factor", k.factor))
	})
}

// logRefusal tells operators of an answer that was refused, with the cause, which is not kept for ever.
func (f *Factors) logRefusal(ctx context.Context, t tenancy.Tenant, u id.User, what audit.Action, why error) {
	level := slog.LevelWarn
	attrs := []slog.Attr{slog.String("tenant", t.ID.String()), slog.String("event", string(what)), slog.Any("error", why)}
	if u.IsZero() {
		level = slog.LevelDebug
	} else {
		attrs = append(attrs, slog.String("user", u.String()))
	}
	f.Log.LogAttrs(ctx, level, "second factor refused", attrs...)
}
