package transfer

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/password/foreign"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Belonging is what people are known by, where a tenant leaves an installation. Imported hashes are opened and go along. Hashes of our
// own have the pepper of the tenant's key in them, which nobody can take out, and refresh tokens are made with that key.
type Belonging struct{ *Imported }

var _ tenancy.Belonging = Belonging{}

// Column is where imported hashes stand.
func (Belonging) Column() tenancy.SealedColumn {
	return tenancy.SealedColumn{Table: "users", User: "id", Column: "password_hash", Sealed: "password_hash like '" + password.SealedPrefix + "%'"}
}

// Open is the text of an imported hash.
func (b Belonging) Open(ctx context.Context, t tenancy.Tenant, u id.User, sealed string) ([]byte, error) {
	h, err := b.open(ctx, t, u, password.Hash(sealed))
	return []byte(h.Text()), err
}

// Seal is the reverse of Open.
func (b Belonging) Seal(ctx context.Context, t tenancy.Tenant, u id.User, plain []byte) (string, error) {
	h, err := foreign.Parse(string(plain))
	if err != nil {
		return "", err
	}
	key, err := b.keys.Of(ctx, t)
	if err != nil {
		return "", err
	}
	return string(seal(key, t.ID, u, h)), nil
}

// Estrange leaves those without a password who had one of ours: they choose another by mail, like people who were invited. Sessions
// stay for the access tokens that are alive, without what refresh tokens are made of.
func (Belonging) Estrange(ctx context.Context, tx tenancy.Tx) (map[string]int64, error) {
	passwords, err := forgetPasswords(ctx, tx)
	if err != nil {
		return nil, err
	}
	sessions, err := endRefreshing(ctx, tx)
	return map[string]int64{"passwords": passwords, "sessions": sessions}, err
}
