package mfa

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Signing in with a passkey and nothing else. Anybody may begin, and sign-in pages begin on every visit (conditional
// mediation), so beginning writes nothing: a table that grew with it would be anybody's to fill, and a cap on the table
// would be anybody's to reach, for everybody else. What the browser is to sign says itself that it is ours, for whom and
// until when:
//
//	challenge = expiry (8 bytes) | HMAC-SHA256(key of the tenant, challenge id, relying party id, expiry)[:24]
//
// The key is made by custody and kept in memory; it opens nothing else. Being used up is what has to be written down, and
// only an assertion that verifies is used up: one row for each sign-in, until the challenge would have expired.

// passkeyCeremony is a challenge on its way, made again from what came back.
func passkeyCeremony(key []byte, challengeID, rpID string, expires time.Time) ceremony {
	c := ceremony{Challenge: binary.BigEndian.AppendUint64(nil, uint64(expires.Unix())), RPID: rpID} //nolint:gosec // after 1970
	m := hmac.New(sha256.New, key)
	m.Write(c.Challenge)
	m.Write([]byte(challengeID + " " + rpID)) // the id has a fixed length
	c.Challenge = append(c.Challenge, m.Sum(nil)[:24]...)
	return c
}

func (f *Factors) ceremonyKey(ctx context.Context, t tenancy.Tenant) ([]byte, error) {
	key, _, err := f.Keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/passkey-challenges/1\x00"+t.ID.String()))
	return key, tenancy.KeysError(err)
}

// BeginPasskey asks whoever is there for a passkey of the tenant. It says the same to everybody. Errors: 403
// method_not_offered, 503.
func (d *Desk) BeginPasskey(ctx context.Context, t tenancy.Tenant) (challengeID string, o protocol.PublicKeyCredentialRequestOptions, err error) {
	if err := d.enrollable(ctx, t, Passkey); err != nil {
		return "", o, err
	}
	rp, err := d.relyingParty(ctx, t)
	if err != nil {
		return "", o, err
	}
	key, err := d.ceremonyKeys.Of(ctx, t)
	if err != nil {
		return "", o, err
	}
	challengeID = uuid.New().String()
	return challengeID, requestOptions(passkeyCeremony(key, challengeID, rp.id, d.Now().Add(challengeLife)), nil), nil
}

// passkeyHolder is whose a passkey is, as they are now.
type passkeyHolder struct {
	credential
	user              id.User
	maySignIn         bool // neither suspended nor unverified
	credentialVersion int
}

// Passkey signs in with a passkey that has verified its user, which makes two factors. Errors: 401 invalid_credential,
// whatever the reason, a suspended account included; 401 challenge_expired; 403 method_not_offered; 503.
func (d *Desk) Passkey(ctx context.Context, t tenancy.Tenant, challengeID string, raw strictjson.Raw, from identity.Client) (identity.Outcome, error) {
	if err := d.enrollable(ctx, t, Passkey); err != nil {
		return identity.Outcome{}, err
	}
	var h passkeyHolder
	p, err := d.provePasskey(ctx, t, challengeID, raw, &h)
	if err == nil {
		p.Client = from
		var o identity.Outcome
		if o, err = d.Logins.Finish(ctx, t, p, identity.Holder{}); err == nil {
			return o, nil
		}
	}
	answer := errInvalidCredential(problem.KindUnauthenticated)
	switch {
	case refused(err):
		e := d.event("login.failed", audit.Actor{Type: audit.ByAnonymous}, h.user).With("method", Passkey)
		err = d.deny(ctx, t, e, h.user, h.credential, err, answer)
	case problem.Is(err, "invalid_credentials"): // recorded there
		err = answer
	}
	return identity.Outcome{}, err
}

func (d *Desk) provePasskey(ctx context.Context, t tenancy.Tenant, challengeID string, raw strictjson.Raw, h *passkeyHolder) (none identity.Proof, err error) {
	rp, err := d.relyingParty(ctx, t)
	if err != nil {
		return none, err
	}
	key, err := d.ceremonyKeys.Of(ctx, t)
	if err != nil {
		return none, err
	}
	answer, err := parseAssertion(raw)
	if err != nil {
		return none, err
	}
	c, expires, err := d.passkeyAsked(key, rp, challengeID, answer.Response.CollectedClientData.Challenge)
	if err != nil {
		return none, err
	}
	if err := d.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readPasskeyHolder(b, answer.RawID, h) }); err != nil {
		return none, err
	}
	if !h.factor.IsZero() && !bytes.Equal(answer.Response.UserHandle, h.user[:]) {
		return none, refuse(reasonHandle, nil)
	}
	used, amr, err := rp.asserted(c, h.user, h.credential, answer)
	if err != nil {
		return none, err
	}
	if !h.maySignIn {
		return none, refuse(reasonAccount, nil)
	}
	spent, err := spendCredential(h.credential, used, d.Now())
	if err != nil {
		return none, err
	}
	done := false
	if err := d.DB.InBatch(ctx, t, func(b *tenancy.Batch) { payPasskey(b, hashID(challengeID), spent, d.Now(), expires, &done) }); err != nil {
		return none, err
	}
	if !done {
		return none, refuse(reasonUsed, nil)
	}
	return identity.Proof{User: h.user, AMR: amr, AuthTime: d.Now(), CredentialVersion: h.credentialVersion}, nil
}

// passkeyAsked is the ceremony that an answer says it is to, if it is one of ours. Errors: 401 challenge_expired.
func (d *Desk) passkeyAsked(key []byte, rp relyingParty, challengeID, signed string) (ceremony, time.Time, error) {
	challenge, err := base64.RawURLEncoding.Strict().DecodeString(signed)
	if err != nil || len(challenge) != 32 || !idGrammar.MatchString(challengeID) {
		return ceremony{}, time.Time{}, refuse(reasonUnasked, err)
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(challenge)), 0) //nolint:gosec // whatever it is, it is checked
	c := passkeyCeremony(key, challengeID, rp.id, expires)
	if !hmac.Equal(c.Challenge, challenge) {
		return ceremony{}, time.Time{}, refuse(reasonUnasked, errors.New("the seal does not fit the id, the tenant or the relying party"))
	}
	if !expires.After(d.Now()) {
		return ceremony{}, time.Time{}, errChallengeExpired()
	}
	return c, expires, nil
}
