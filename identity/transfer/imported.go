package transfer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/password/foreign"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Imported keeps the hashes that other systems made until their owners have signed in. They have no key, so whoever has the
// database could guess at them; what stands there is sealed:
//
//	$sealed$KIND$base64( nonce | AES-256-GCM( hash ) )     bound to tenant, user and kind
//
// The key is made by custody for the tenant, once, and kept in memory: a hundred thousand calls to seal would take an
// import an hour. It opens nothing else, and with the tenant's keys it is destroyed.
type Imported struct {
	db        *tenancy.DB
	directory *tenancy.Directory
	keys      *tenancy.PerTenant[cipher.AEAD]
	decoys    *tenancy.PerTenant[*foreign.Hash]
}

var _ password.Imports = (*Imported)(nil)

// NewImported makes an Imported.
func NewImported(db *tenancy.DB, d *tenancy.Directory, keys custody.Custodian) *Imported {
	i := &Imported{db: db, directory: d}
	i.keys = tenancy.NewPerTenant(func(ctx context.Context, t tenancy.Tenant) (cipher.AEAD, error) {
		key, _, err := keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/imported-hashes/1\x00"+t.ID.String()))
		if err != nil {
			return nil, tenancy.KeysError(err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	})
	i.decoys = tenancy.NewPerTenant(i.readDecoy)
	return i
}

// b64 keeps a sealed hash free of the character that separates its fields.
var b64 = base64.RawStdEncoding.Strict()

// sealer seals the hashes of a tenant's users. The record of the tenant is asked for anew: an import takes longer than it
// is true, and with an old one every user would cost a call to custody.
func (i *Imported) sealer(ctx context.Context, t id.Tenant) (func(id.User, foreign.Hash) password.Hash, error) {
	of, err := i.directory.ByID(ctx, t)
	if err != nil {
		return nil, err
	}
	key, err := i.keys.Of(ctx, of)
	if err != nil {
		return nil, err
	}
	return func(u id.User, h foreign.Hash) password.Hash { return seal(key, t, u, h) }, nil
}

func seal(key cipher.AEAD, t id.Tenant, u id.User, h foreign.Hash) password.Hash {
	nonce := make([]byte, key.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := key.Seal(nonce, nonce, []byte(h.Text()), boundTo(t, u, h.Kind()))
	return password.Hash(password.SealedPrefix + string(h.Kind()) + "$" + b64.EncodeToString(sealed))
}

// open is the hash that was sealed for the user.
func (i *Imported) open(ctx context.Context, t tenancy.Tenant, u id.User, sealed password.Hash) (foreign.Hash, error) {
	key, err := i.keys.Of(ctx, t)
	if err != nil {
		return foreign.Hash{}, err
	}
	kind, text, _ := strings.Cut(strings.TrimPrefix(string(sealed), password.SealedPrefix), "$")
	b, err := b64.DecodeString(text)
	if err != nil || len(b) < key.NonceSize() {
		return foreign.Hash{}, errors.New("transfer: an imported hash is malformed")
	}
	plain, err := key.Open(nil, b[:key.NonceSize()], b[key.NonceSize():], boundTo(t.ID, u, foreign.Kind(kind)))
	if err != nil {
		return foreign.Hash{}, errors.New("transfer: an imported hash is not the one that was sealed for this user")
	}
	return foreign.Parse(string(plain))
}

func boundTo(t id.Tenant, u id.User, k foreign.Kind) []byte {
	return slices.Concat(t[:], u[:], []byte(k))
}

// Open is the hash that was sealed for the user.
func (i *Imported) Open(ctx context.Context, t id.Tenant, u id.User, sealed password.Hash) (password.Foreign, error) {
	of, err := i.directory.ByID(ctx, t)
	if err != nil {
		return nil, err
	}
	return i.open(ctx, of, u, sealed)
}

// Decoy is a hash of the kind the tenant has imported, as long as one of those is left.
func (i *Imported) Decoy(ctx context.Context, t id.Tenant) (password.Foreign, error) {
	of, err := i.directory.ByID(ctx, t)
	if err != nil {
		return nil, err
	}
	found, err := i.decoys.Of(ctx, of)
	if found == nil || err != nil { // a nil *foreign.Hash would be a Foreign
		return nil, err
	}
	return found, nil
}

func (i *Imported) readDecoy(ctx context.Context, t tenancy.Tenant) (*foreign.Hash, error) {
	var one string
	if err := i.db.InBatch(ctx, t, func(b *tenancy.Batch) { readImported(b, &one) }); err != nil || one == "" {
		return nil, err
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(one, password.SealedPrefix), "$")
	decoy, ok := foreign.Decoy(foreign.Kind(kind))
	if !ok {
		return nil, nil
	}
	return &decoy, nil
}
