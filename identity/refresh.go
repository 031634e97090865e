package identity

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// errRefresh is the one answer to a refresh token that is good for nothing, whatever the reason.
func errRefresh() error { return problem.InvalidToken(problem.KindUnauthenticated) }

// Refresh goes on with a session: a refresh token buys an access token with claims as they are now, and its own successor.
// The session's id, what was proved and when stay what they were.
//
// The access token is signed before the refresh token is spent, so an outage costs the client nothing, and both are told
// only once it is spent. A client that lost the answer asks again within ten seconds and gets the same successor. A token
// used later than that, or one from earlier in the line, ends the session: somebody has a copy.
//
// Errors: 401 invalid_token for a token that is unknown, spent, expired or of a session that has ended, of a user who may
// not sign in now, or whose login would owe more today, or of an application that is not registered any more; 403 policy_denied, which leaves the token good for when the rules
// permit it; 403 tenant_suspended; 503.
func (l *Logins) Refresh(ctx context.Context, t tenancy.Tenant, text string, c Client) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	token, ok := parseRefreshToken(t, text)
	if !ok {
		return Outcome{}, errRefresh()
	}
	if err := l.serving(ctx, t); err != nil {
		return Outcome{}, err
	}
	key, err := l.refreshKeys.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	set, err := l.Settings.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	var a account
	var s Session
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readRenewable(b, token.session, &a, &s) }); err != nil {
		return Outcome{}, err
	}
	now := l.Now()
	switch {
	case !s.made(key, token) || s.over(now, set.Tokens) || s.Application != "" && !slices.Contains(set.ReturnURLs, s.Application):
		return Outcome{}, errRefresh()
	case !s.answers(token, now):
		return Outcome{}, l.endReused(ctx, t, s, now)
	}
	err = l.standsStill(ctx, t, a, s)
	if err == nil {
		err = l.Judge.may(ctx, t, l.Judge.question(t, policy.Refresh, a.User, s.AMR, c))
	}
	if err != nil {
		return Outcome{}, err
	}
	return l.issue(ctx, t, a.User, s.renewed(token, now, set.Tokens), set.Tokens, func(ctx context.Context, next *Session) error {
		return l.rotate(ctx, t, a, next)
	})
}

// over reports whether the session is past one of its limits: those it was begun with, or those the tenant has now.
func (s Session) over(now time.Time, l settings.Tokens) bool {
	return !now.Before(s.Expires) || !now.Before(s.RefreshExpires) ||
		!now.Before(s.Created.Add(l.RefreshAbsolute())) || !now.Before(s.Refreshed.Add(l.RefreshIdle()))
}

// renewed is the session with the successor of a token it answers. Of a token that was spent already that is the newest.
func (s Session) renewed(r refreshToken, now time.Time, l settings.Tokens) Session {
	s.generation = r.generation + 1
	s.Expires = earlier(s.Expires, s.Created.Add(l.RefreshAbsolute()))
	s.Refreshed, s.RefreshExpires = now, earlier(s.Expires, now.Add(l.RefreshIdle()))
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// standsStill holds the session's user against what a login asks: the state of the account, and the factors that the
// tenant demands by now. Errors: 401 invalid_token.
func (l *Logins) standsStill(ctx context.Context, t tenancy.Tenant, a account, s Session) error {
	if !a.User.Active || !a.User.EmailVerified {
		return errRefresh()
	}
	enough, err := l.Factors.Enough(ctx, t, a.User, s.proof())
	if err == nil && !enough {
		err = errRefresh()
	}
	return err
}

// rotate spends the token before next. Where another request with the same token was faster, next is what it made, and this
// request answers the same.
func (l *Logins) rotate(ctx context.Context, t tenancy.Tenant, a account, next *Session) error {
	rotated := false
	err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { rotateSession(b, *next, a, &rotated) })
	if err != nil || rotated {
		return err
	}
	var other Session
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readRotated(b, next.ID, a, &other) }); err != nil {
		return err
	}
	if other.generation != next.generation || !other.justRefreshed(l.Now()) {
		return errRefresh()
	}
	next.RefreshExpires = other.RefreshExpires
	return nil
}

// endReused ends the session of a token that was used again. That it could not is told instead: the client may think it
// has only to sign in again, and whoever else has a token would go on.
func (l *Logins) endReused(ctx context.Context, t tenancy.Tenant, s Session, now time.Time) error {
	err := l.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		ended, err := endSession(ctx, tx, s.User, s.ID)
		if err != nil || !ended { // another request with it was faster
			return err
		}
		e := audit.Event{Action: "session.reuse_detected", Actor: audit.Actor{Type: audit.ByAnonymous}, At: now}
		return audit.Record(ctx, tx, e.User(s.User).With("session", s.ID.String()))
	})
	if err != nil {
		return err
	}
	return errRefresh()
}

// refreshKey makes the key of a tenant's refresh tokens.
func (l *Logins) refreshKey(ctx context.Context, t tenancy.Tenant) ([]byte, error) {
	key, _, err := l.Keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/refresh-tokens/1\x00"+t.ID.String()))
	return key, tenancy.KeysError(err)
}
