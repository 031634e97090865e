package mfa

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

const (
	totpPeriod = 30 // seconds
	maxIssuer  = 60 // bytes of the tenant's name in an app
	// enrolmentLife is how long a factor may stay unconfirmed.
	enrolmentLife = 10 * time.Minute
	totpDevice    = "Authenticator app"
)

// totpFactor is a TOTP authenticator (RFC 6238): SHA-1, six digits, thirty seconds, which every app knows.
type totpFactor struct {
	id       id.Factor
	sealed   string // the secret, sealed by custody
	lastStep int64  // the newest step that was accepted; 0: none
}

// totpEnrolment is what an app needs to know, shown once.
type totpEnrolment struct {
	ID     id.Factor
	Secret string // base32
	URI    string // otpauth://
}

// sealContext binds a sealed secret to its tenant and user: copied into another row it cannot be opened.
func sealContext(t tenancy.Tenant, u id.User) []byte {
	return []byte("totp " + t.ID.String() + " " + u.String())
}

// newTOTP makes a secret of 160 bits (RFC 4226 section 4, R6) and stores it sealed and unconfirmed. check refuses the
// user as they are in the transaction.
func (f *Factors) newTOTP(ctx context.Context, t tenancy.Tenant, u id.User, check func(identity.User) error) (totpEnrolment, error) {
	raw := make([]byte, 20)
	_, _ = rand.Read(raw)
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	sealed, err := f.Keys.Seal(ctx, t.ID, []byte(secret), sealContext(t, u))
	if err != nil {
		return totpEnrolment{}, tenancy.KeysError(err)
	}
	factor := totpFactor{id: id.NewFactor(), sealed: sealed}
	var user identity.User
	err = f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		if user, err = identity.LockUser(ctx, tx, u); err != nil {
			return err
		}
		if err := check(user); err != nil {
			return err
		}
		return insertTOTP(ctx, tx, u, factor, f.Now())
	})
	return totpEnrolment{factor.id, secret, otpauth(t.Name, user.Email, secret)}, err
}

// otpauth is the URI that apps read as a picture (the Key URI format of Google Authenticator).
func otpauth(issuer string, account identity.Email, secret string) string {
	if len(issuer) > maxIssuer { // a picture holds only so much, and an app shows less
		issuer = strings.ToValidUTF8(issuer[:maxIssuer], "")
	}
	q := url.Values{"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + string(account), RawQuery: q.Encode()}
	return u.String()
}

// step finds the time step that a code belongs to: the current one or one either side. 0 is none. It asks custody
// for the secret, so it is called outside of any transaction.
func (f *Factors) step(ctx context.Context, t tenancy.Tenant, u id.User, factor totpFactor, code string) (int64, error) {
	secret, err := f.Keys.Open(ctx, t.ID, factor.sealed, sealContext(t, u))
	if err != nil {
		return 0, tenancy.KeysError(err)
	}
	return matchStep(string(secret), code, f.Now()), nil
}

// matchStep looks at all three steps whatever it finds, so that time does not tell which.
func matchStep(secret, code string, now time.Time) (found int64) {
	current := now.Unix() / totpPeriod
	for step := current - 1; step <= current+1; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}) //nolint:gosec // after 1970
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found
}

// ProvisionTOTP gives a user a confirmed authenticator and tells its secret, for an operator who hands out a device that
// is set up already, and for the demo of gatehouse dev. Errors: 409 already_enrolled.
func (f *Factors) ProvisionTOTP(ctx context.Context, t tenancy.Tenant, u id.User) (secret string, err error) {
	e, err := f.newTOTP(ctx, t, u, hasNoTOTP)
	if err != nil {
		return "", err
	}
	code, err := totp.GenerateCode(e.Secret, f.Now().Add(-totpPeriod*time.Second)) // spends a step nobody will come with
	if err != nil {
		return "", err
	}
	_, _, err = f.confirmTOTP(ctx, t, audit.Actor{Type: audit.ByOperator}, u, code, func(_ context.Context, _ tenancy.Tx, u identity.User) error { return hasNoTOTP(u) })
	return e.Secret, err
}

// confirmTOTP makes the user's unconfirmed authenticator theirs, if the code is its: then the user has shown that they
// have it. The step of the code is spent. Errors: 400 invalid_code, also where there is nothing to confirm; what check
// refuses.
func (f *Factors) confirmTOTP(ctx context.Context, t tenancy.Tenant, by audit.Actor, u id.User, code string,
	check func(context.Context, tenancy.Tx, identity.User) error) (codes []string, left int, err error) {
	var pending *totpFactor
	if err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readPendingTOTP(b, u, f.Now().Add(-enrolmentLife), &pending) }); err != nil {
		return nil, 0, err
	}
	if pending == nil {
		return nil, 0, errInvalidCode(kindInvalid)
	}
	step, err := f.step(ctx, t, u, *pending, code)
	if err != nil {
		return nil, 0, err
	}
	if err = refuse(reasonCode, nil); step != 0 {
		codes, left, err = f.add(ctx, t, addition{by: by, user: u, factor: pending.id, method: TOTP, device: totpDevice, check: check,
			commit: func(ctx context.Context, tx tenancy.Tx) (bool, error) {
				return confirmTOTP(ctx, tx, pending.id, step, f.Now())
			}})
	}
	if refused(err) {
		err = f.denyAddition(ctx, t, by, u, TOTP, err, errInvalidCode(kindInvalid))
	}
	return codes, left, err
}
