package mfa

import (
	"context"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// sealedSecret is a TOTP secret as it stands in the tenant's schema.
type sealedSecret struct {
	factor id.Factor
	user   id.User
	sealed string
}

// renew seals a secret that was just used under the newest version of the tenant's key, if it is not. It is a kindness: when it
// fails the next use tries again.
func (f *Factors) renew(ctx context.Context, t tenancy.Tenant, s sealedSecret) {
	if !f.Sealing.Behind(ctx, t, custody.SealedVersion(s.sealed)) {
		return
	}
	if err := f.reseal(ctx, t, s); err != nil {
		f.Log.LogAttrs(ctx, slog.LevelWarn, "mfa: could not seal a secret anew", slog.String("tenant", t.ID.String()),
			slog.String("user", s.user.String()), slog.Any("error", err))
	}
}

// reseal opens a secret and seals it again. Vault could do it in one call, rewrap, which the policy of a serving replica would
// then have to allow; the two it has are enough, and seeing the secret is what it does at each login.
func (f *Factors) reseal(ctx context.Context, t tenancy.Tenant, s sealedSecret) error {
	secret, err := f.Keys.Open(ctx, t.ID, s.sealed, sealContext(t, s.user))
	if err != nil {
		return tenancy.KeysError(err)
	}
	fresh, err := f.Keys.Seal(ctx, t.ID, secret, sealContext(t, s.user))
	if err != nil {
		return tenancy.KeysError(err)
	}
	return f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { replaceSecret(b, s, fresh) })
}

// rewrapPage is how many secrets are read at once.
const rewrapPage = 200

// Rewrap seals all TOTP secrets of a tenant under this version of its key or a newer one, and tells after each how many it has
// looked at, of how many. It may be ended and begun again, and several may run at once: a secret that has another text by then
// is left alone.
func (f *Factors) Rewrap(ctx context.Context, t tenancy.Tenant, version int, told func(done, of int64)) (resealed int, err error) {
	var of int64
	if err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { countSecrets(b, &of) }); err != nil {
		return 0, err
	}
	var done int64
	for after := (id.Factor{}); ; {
		var page []sealedSecret
		if err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readSecrets(b, after, rewrapPage, &page) }); err != nil {
			return resealed, err
		}
		for _, s := range page {
			if after = s.factor; custody.SealedVersion(s.sealed) < version {
				if err := f.reseal(ctx, t, s); err != nil {
					return resealed, err
				}
				resealed++
			}
			done++
			told(done, max(of, done))
		}
		if len(page) < rewrapPage {
			return resealed, nil
		}
	}
}
