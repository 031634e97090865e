package mfa

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func errNoneUsable() error {
	return problem.New(problem.KindConflict, "no_factor", "None of the passkeys and security keys of this account works here.")
}

// BeginAssertion asks for a passkey or security key of whoever owes a second factor. A second one replaces the first.
// Errors: 401 challenge_expired; 409 no_factor where the tenant has given up the hosts that the keys were made for.
func (d *Desk) BeginAssertion(ctx context.Context, t tenancy.Tenant, challenge string) (o protocol.PublicKeyCredentialRequestOptions, err error) {
	a, err := d.open(ctx, t, challenge, webauthnKinds, purposeLogin, purposeStepUp)
	if err != nil {
		return o, err
	}
	rp, err := d.relyingParty(ctx, t)
	if err != nil {
		return o, err
	}
	var all []credential
	if err := d.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readCredentials(b, a.proof.User, &all) }); err != nil {
		return o, err
	}
	rpID, usable := rp.usable(all, a.methods)
	if len(usable) == 0 {
		return o, errNoneUsable()
	}
	c := newCeremony(rpID)
	for _, k := range usable {
		c.Allowed = append(c.Allowed, k.factor)
	}
	return requestOptions(c, usable), d.keepCeremony(ctx, t, a.hash, c)
}

func (d *Desk) keepCeremony(ctx context.Context, t tenancy.Tenant, hash []byte, c ceremony) error {
	return d.DB.InBatch(ctx, t, func(b *tenancy.Batch) { writeCeremony(b, hash, c) })
}

// asked is the ceremony kept with a challenge; the zero ceremony where nothing was asked yet.
func (c challenge) asked() (asked ceremony, err error) {
	if c.ceremony != "" {
		err = json.Unmarshal([]byte(c.ceremony), &asked)
	}
	return asked, err
}

// Assertion proves a challenge with a passkey or security key. An answer that cannot be read counts as a wrong one.
// Errors: 401 challenge_expired, 401 invalid_credential, 429, 503.
func (d *Desk) Assertion(ctx context.Context, t tenancy.Tenant, challenge string, raw strictjson.Raw, from identity.Client) (identity.Outcome, error) {
	rp, err := d.relyingParty(ctx, t)
	if err != nil {
		return identity.Outcome{}, err
	}
	answer, unreadable := parseAssertion(raw)
	var k credential
	a, err := d.try(ctx, t, challenge, webauthnKinds, func(b *tenancy.Batch, hash []byte) {
		if unreadable == nil {
			readCredentialOfChallenge(b, hash, answer.RawID, &k)
		}
	}, purposeLogin, purposeStepUp)
	if err != nil {
		return identity.Outcome{}, err
	}
	var amr []string
	if err = unreadable; err == nil {
		amr, err = d.accept(ctx, t, rp, &a, k, answer)
	}
	switch {
	case refused(err):
		return identity.Outcome{}, d.deny(ctx, t, d.failed(a, cmp.Or(k.method, "webauthn")), a.proof.User, k, err, errInvalidCredential(problem.KindUnauthenticated))
	case err != nil:
		d.refund(ctx, t, a)
		return identity.Outcome{}, err
	}
	return d.finish(ctx, t, a, from, amr...)
}

// accept judges an assertion and spends it, with the challenge and the state of the credential it was judged by.
func (d *Desk) accept(ctx context.Context, t tenancy.Tenant, rp relyingParty, a *attempt, k credential, answer *protocol.ParsedCredentialAssertionData) ([]string, error) {
	c, err := a.asked()
	if err != nil {
		return nil, err
	}
	if !k.factor.IsZero() && (!slices.Contains(c.Allowed, k.factor) || !slices.Contains(a.methods, k.method)) {
		return nil, refuse(reasonUnasked, nil)
	}
	used, amr, err := rp.asserted(c, a.proof.User, k, answer)
	if err != nil {
		return nil, err
	}
	spent, err := spendCredential(k, used, d.Now())
	if err != nil {
		return nil, err
	}
	return amr, d.spend(ctx, t, a, spent)
}
