package mfa

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Belonging is people's second factors, where a tenant leaves an installation. TOTP secrets are opened and go along; credentials of
// WebAuthn are public keys and go as they are. Backup codes are hashed with the tenant's key.
type Belonging struct{ *Factors }

var _ tenancy.Belonging = Belonging{}

// Column is where TOTP secrets stand.
func (Belonging) Column() tenancy.SealedColumn {
	return tenancy.SealedColumn{Table: "factors", User: "user_id", Column: "secret", Sealed: "method_type = 'totp'"}
}

// Open is a secret in base32.
func (b Belonging) Open(ctx context.Context, t tenancy.Tenant, u id.User, sealed string) ([]byte, error) {
	secret, err := b.Keys.Open(ctx, t.ID, sealed, sealContext(t, u))
	return secret, tenancy.KeysError(err)
}

// Seal is the reverse of Open.
func (b Belonging) Seal(ctx context.Context, t tenancy.Tenant, u id.User, plain []byte) (string, error) {
	sealed, err := b.Keys.Seal(ctx, t.ID, plain, sealContext(t, u))
	return sealed, tenancy.KeysError(err)
}

// Estrange takes backup codes away, which nothing could be held against any more.
func (Belonging) Estrange(ctx context.Context, tx tenancy.Tx) (map[string]int64, error) {
	codes, err := forgetBackupCodes(ctx, tx)
	return map[string]int64{"backup codes": codes}, err
}
