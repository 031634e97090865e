package mfa

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func errTooManyCredentials() error {
	return problem.New(problem.KindConflict, "too_many_factors", "There are too many passkeys and security keys. Please remove one first.")
}

// registrationHash stands in for the hash of a challenge id: a session has one registration under way, and finds it by
// itself. Beginning another replaces it.
func registrationHash(s id.Session) []byte {
	h := sha256.Sum256([]byte("registration " + s.String()))
	return h[:]
}

// BeginRegistration asks a signed-in user's browser for a new credential. Errors: 403 reauthentication_required, 403
// method_not_offered, 409 too_many_factors.
func (f *Factors) BeginRegistration(ctx context.Context, by identity.Caller, method string) (o protocol.PublicKeyCredentialCreationOptions, err error) {
	if err := by.Fresh(f.Now()); err != nil {
		return o, err
	}
	if err := f.mayEnroll(ctx, by, method); err != nil {
		return o, err
	}
	c, o, err := f.newRegistration(ctx, by.Tenant, *by.User, method)
	if err != nil {
		return o, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return o, err
	}
	pending := challenge{purpose: purposeRegister, methods: []string{method}, proof: by.Proof(), ceremony: string(text)}
	return o, f.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { writeChallenge(b, registrationHash(by.Session.ID), pending, f.Now()) })
}

func (f *Factors) newRegistration(ctx context.Context, t tenancy.Tenant, u identity.User, method string) (c ceremony, o protocol.PublicKeyCredentialCreationOptions, err error) {
	rp, err := f.relyingParty(ctx, t)
	if err != nil {
		return c, o, err
	}
	var has []credential
	if err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readCredentials(b, u.ID, &has) }); err != nil {
		return c, o, err
	}
	if len(has) >= maxCredentials {
		return c, o, errTooManyCredentials()
	}
	c = newCeremony(rp.id)
	c.Method = method
	return c, rp.creationOptions(c, u, has), nil
}

// Registration adds the credential. codes are backup codes, where there were none. Errors: 400 invalid_credential, also
// where nothing was asked or the credential is somebody's already; 403, 409 as BeginRegistration.
func (f *Factors) Registration(ctx context.Context, by identity.Caller, method, device string, raw strictjson.Raw) (codes []string, left int, err error) {
	if err := by.Fresh(f.Now()); err != nil {
		return nil, 0, err
	}
	if err := f.mayEnroll(ctx, by, method); err != nil {
		return nil, 0, err
	}
	hash := registrationHash(by.Session.ID)
	var pending challenge
	found := false
	if err := f.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readChallenge(b, hash, f.Now(), &pending, &found) }); err != nil {
		return nil, 0, err
	}
	c, err := pending.asked()
	if err != nil {
		return nil, 0, err
	}
	if !found || pending.purpose != purposeRegister || c.Method != method {
		return nil, 0, errInvalidCredential(kindInvalid)
	}
	codes, left, _, err = f.register(ctx, by.Tenant, by.User.ID, c, device, raw, func(ctx context.Context, tx tenancy.Tx, u identity.User) error {
		if err := f.stillFresh(by, u); err != nil {
			return err
		}
		taken, err := takeRegistration(ctx, tx, hash, pending.ceremony)
		if err == nil && !taken {
			err = refuse(reasonUsed, nil)
		}
		if err != nil {
			return err
		}
		return identity.EndWeakSessions(ctx, tx, u.ID, by.Session.ID)
	})
	return codes, left, err
}

// register judges a new credential and makes it the user's. check refuses the user as they are in the transaction and
// spends the challenge in it.
func (f *Factors) register(ctx context.Context, t tenancy.Tenant, u id.User, c ceremony, device string, raw strictjson.Raw,
	check func(context.Context, tenancy.Tx, identity.User) error) (codes []string, left int, amr []string, err error) {
	rp, err := f.relyingParty(ctx, t)
	if err != nil {
		return nil, 0, nil, err
	}
	k := credential{factor: id.NewFactor(), method: c.Method, device: cmp.Or(device, deviceName(c.Method)), rpID: c.RPID}
	k.record, amr, err = rp.attested(c, u, raw)
	if err == nil {
		codes, left, err = f.add(ctx, t, addition{by: byUser(u), user: u, factor: k.factor, method: k.method, device: k.device,
			check: func(ctx context.Context, tx tenancy.Tx, owner identity.User) error {
				if err := check(ctx, tx, owner); err != nil {
					return err
				}
				n, err := countCredentials(ctx, tx, u)
				if err == nil && n >= maxCredentials {
					err = errTooManyCredentials()
				}
				return err
			},
			commit: func(ctx context.Context, tx tenancy.Tx) (bool, error) {
				return true, insertCredential(ctx, tx, u, k, f.Now())
			}})
	}
	if refused(err) {
		err = f.denyAddition(ctx, t, byUser(u), u, c.Method, err, errInvalidCredential(kindInvalid))
	}
	return codes, left, amr, err
}

// BeginCredentialEnrollment asks for the first credential of whoever owes the enrolment of a factor. Errors: 401
// challenge_expired, 409 already_enrolled.
func (d *Desk) BeginCredentialEnrollment(ctx context.Context, t tenancy.Tenant, challenge, method string) (o protocol.PublicKeyCredentialCreationOptions, err error) {
	a, err := d.open(ctx, t, challenge, []string{method}, purposeEnroll)
	if err != nil {
		return o, err
	}
	var user identity.User
	err = d.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		if user, err = identity.LockUser(ctx, tx, a.proof.User); err != nil {
			return err
		}
		return hasNone(user)
	})
	if err != nil {
		return o, err
	}
	c, o, err := d.newRegistration(ctx, t, user, method)
	if err != nil {
		return o, err
	}
	return o, d.keepCeremony(ctx, t, a.hash, c)
}

// CredentialEnrollment confirms it and has the login go on; see FinishEnrollment. Errors: 400 invalid_credential, 401
// challenge_expired, 409 already_enrolled, 429.
func (d *Desk) CredentialEnrollment(ctx context.Context, t tenancy.Tenant, challenge, device string, raw strictjson.Raw, from identity.Client) (identity.Outcome, []string, error) {
	a, err := d.try(ctx, t, challenge, webauthnKinds, nothing, purposeEnroll)
	if err != nil {
		return identity.Outcome{}, nil, err
	}
	c, err := a.asked()
	if err != nil {
		return identity.Outcome{}, nil, err
	}
	if c.Method == "" {
		return identity.Outcome{}, nil, errInvalidCredential(kindInvalid)
	}
	codes, _, amr, err := d.register(ctx, t, a.proof.User, c, device, raw, d.firstByChallenge(a))
	if err != nil {
		if problem.From(err).Kind == problem.KindUnavailable {
			d.refund(ctx, t, a)
		}
		return identity.Outcome{}, nil, err
	}
	o, err := d.finish(ctx, t, a, from, amr...)
	return o, codes, err
}

// deviceName is what a credential is called when nobody said.
func deviceName(method string) string {
	if method == Passkey {
		return "Passkey"
	}
	return "Security key"
}
