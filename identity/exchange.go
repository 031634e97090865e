package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Whoever is signed in in a browser is led to an application with a code in the address, and the application's back end
// exchanges the code for tokens of a session of its own: no token is in an address, and none of the browser's is in an
// application. It is the authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636), for the tenant's own
// applications alone, which are known by their return URLs.
//
//	session of a browser --IssueCode--> code --browser--> application --Exchange--> session of the application
//
// What binds a code: the tenant, the return URL letter by letter, the browser's session, which must not have ended, the
// verifier that only the application knows, a minute, and that it is used once. A session that began with a code makes no
// other code, or an application could act for its users at all others.

const (
	codePrefix = "ghc_"
	// codeLife is how long a browser may take to carry a code (RFC 6749 section 4.1.2 wants ten minutes at most).
	codeLife = time.Minute
	// codeKept is how long after that a code is known for what it is when it is brought again.
	codeKept = 10 * time.Minute
)

// returnCode is a code as it is kept.
type returnCode struct {
	hash      []byte
	session   id.Session
	url       string
	challenge string
	expires   time.Time
	spentBy   id.Session // zero: nobody
}

// errNotRegistered is told to applications that nobody registered.
func errNotRegistered() error {
	return problem.Field("return_url", "is not one of the tenant's return URLs")
}

// IssueCode makes a code for an application. challenge is BASE64URL(SHA256(verifier)) (RFC 7636 section 4.2). Errors: 400
// invalid_request for a return URL that the tenant has not registered; 403 forbidden in the session of an application; 403
// reauthentication_required where a login would ask for more today; 403 policy_denied.
func (l *Logins) IssueCode(ctx context.Context, by Caller, returnURL, challenge string) (code string, expires time.Time, err error) {
	set, err := l.Settings.Of(ctx, by.Tenant)
	if err != nil {
		return "", expires, err
	}
	if !slices.Contains(set.ReturnURLs, returnURL) {
		return "", expires, errNotRegistered()
	}
	if by.OfApplication() {
		return "", expires, problem.Forbidden()
	}
	enough, err := l.Factors.Enough(ctx, by.Tenant, *by.User, by.Session.proof())
	if err == nil && !enough {
		err = problem.Reauthenticate()
	}
	if err == nil {
		q := l.Judge.question(by.Tenant, policy.Exchange, *by.User, by.Session.AMR, by.From)
		q.Context.Application = returnURL
		err = l.Judge.may(ctx, by.Tenant, q)
	}
	if err != nil {
		return "", expires, err
	}
	code = newSecret(codePrefix, by.Tenant)
	c := returnCode{hash: hashSecret(code), session: by.Session.ID, url: returnURL, challenge: challenge, expires: l.Now().Add(codeLife)}
	return code, c.expires, l.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { writeCode(b, c, l.Now().Add(-codeKept)) })
}

// errCode is the one answer to a code that is good for nothing, whatever the reason.
func errCode() error { return problem.InvalidToken(problem.KindUnauthenticated) }

// Exchange begins the session of an application. As with a refresh, the access token is signed before the code is spent, so
// an outage costs nobody anything. A code that comes again, with its verifier, ends the session that it began (RFC 6749
// section 4.1.2): somebody has a copy, of both.
//
// The tenant's rules were asked when the code was made, of the browser that it was made for: who brings it is the application's
// server, of whose network and name no rule means to speak.
//
// Errors: 401 invalid_token for a code that is unknown, spent, expired, of another application, of a session that has
// ended, or brought without its verifier, or whose user may not sign in now; 403 tenant_suspended; 503.
func (l *Logins) Exchange(ctx context.Context, t tenancy.Tenant, code, returnURL, verifier string, from Client) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	if _, ok := tenancy.ParseSecret(codePrefix, t.ID, code); !ok {
		return Outcome{}, errCode()
	}
	if err := l.serving(ctx, t); err != nil {
		return Outcome{}, err
	}
	set, err := l.Settings.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	c, a, browser := returnCode{hash: hashSecret(code)}, account{}, Session{}
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readCode(b, &c, &a, &browser) }); err != nil {
		return Outcome{}, err
	}
	now := l.Now()
	switch {
	case c.session.IsZero() || !c.provedBy(verifier) || c.url != returnURL || !slices.Contains(set.ReturnURLs, returnURL):
		return Outcome{}, errCode()
	case !c.spentBy.IsZero():
		return Outcome{}, l.endCopied(ctx, t, a.User.ID, c.spentBy, now)
	case !now.Before(c.expires) || browser.ID.IsZero() || browser.over(now, set.Tokens):
		return Outcome{}, errCode()
	}
	if err := l.standsStill(ctx, t, a, browser); err != nil {
		return Outcome{}, err
	}
	s := newSession(Proof{User: a.User.ID, AMR: browser.AMR, AuthTime: browser.AuthTime, Client: from}, now, set.Tokens)
	s.Application = c.url
	s.Expires = earlier(s.Expires, browser.Expires) // the user was asked who they are when that one began
	s.RefreshExpires = earlier(s.RefreshExpires, s.Expires)
	return l.issue(ctx, t, a.User, s, set.Tokens, func(ctx context.Context, s *Session) error {
		return l.keepExchanged(ctx, t, *s, a, c, set.Sessions.MaxPerUser)
	})
}

// provedBy reports whether the verifier is the one of the code's challenge.
func (c returnCode) provedBy(verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.challenge)) == 1
}

// keepExchanged spends the code and writes the session, or neither.
func (l *Logins) keepExchanged(ctx context.Context, t tenancy.Tenant, s Session, a account, c returnCode, most int) error {
	kept := false
	err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		writeExchanged(b, s, a, c, most, &kept)
		e := audit.Event{Action: "session.exchanged", Actor: audit.Actor{Type: audit.ByUser, ID: s.User.String()}, At: s.Created}
		audit.QueueIf(ctx, b, t, e.User(s.User).With("application", s.Application).With("session", s.ID), `exists (select from sessions where id = $9)`, s.ID)
	})
	if err == nil && !kept {
		err = errCode()
	}
	return err
}

// endCopied ends the session that a code began which was used again.
func (l *Logins) endCopied(ctx context.Context, t tenancy.Tenant, u id.User, began id.Session, now time.Time) error {
	return l.endReused(ctx, t, Session{ID: began, User: u}, now)
}
