// Package custody keeps the secret keys of tenants and uses them on the service's behalf. Nothing in this package,
// and nothing that can be asked of it, gives a private key away.
//
// A tenant has two kinds of key, both in versions counted from 1:
//
//	signing   signs its tokens: each version is an asymmetric key of its own, of one Algorithm
//	sealing   encrypts its TOTP secrets (Seal, Open) and peppers its password hashes (HMAC)
//
// There are two custodians behind the same interfaces, held to the same suite (custodytest): Vault's transit engine
// for production, and Software, keys in wrapped files, for `gatehouse dev`. What a serving replica may do (Custodian)
// and what provisioning may do (Keymaster) are separate because their credentials are: the policies in policy/ give a
// replica no way to make, rotate or destroy a key.
//
// Traps. A custodian is another machine: every method may wait up to about a second and may fail while Postgres is
// fine, so none is called inside a transaction. ErrUnavailable says nothing about a password or a token: it becomes a
// 503, never a 401. A signature and a mac are over exactly the bytes given: whoever calls binds tenant, kind and user
// into them.
package custody

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Algorithm is a signature algorithm by its JOSE name (RFC 7518 section 3.1, RFC 8037 section 3.1).
type Algorithm string

// The algorithms a tenant's signing key may have.
const (
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256: what every verifier knows, and the default
	EdDSA Algorithm = "EdDSA" // Ed25519
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, 3072 bits: for verifiers that know nothing newer
)

// Default is the algorithm of a tenant that asked for none.
const Default = ES256

// rsaBits gives RS256 the 128 bits of strength the other two have (ASVS 5.0, 11.2.3).
const rsaBits = 3072

// Valid reports whether a is one of the three.
func (a Algorithm) Valid() bool { return a == ES256 || a == EdDSA || a == RS256 }

// SigningKey names one version of a tenant's signing key, as the tenant's schema records it.
type SigningKey struct {
	Version   int // from 1
	Algorithm Algorithm
}

// Errors of a custodian, to be tested with errors.Is. Their causes are for logs: they may name keys and paths, and are
// never sent to a client.
var (
	// ErrUnavailable: sealed, standby, overloaded, unreachable, too slow, or not logged in yet. Trying later may help.
	ErrUnavailable = errors.New("custody: unavailable")
	// ErrDenied: the credentials do not permit this. Only an operator can help; to a client it is a 503 as well.
	ErrDenied = errors.New("custody: denied")
	// ErrNoKey: the tenant has no such key, or not this version of it.
	ErrNoKey = errors.New("custody: no such key")
	// ErrTampered: a sealed value is not what Seal returned for this tenant and these associated data.
	ErrTampered = errors.New("custody: sealed value refused")
	// ErrOtherAlgorithm: the tenant's signing key exists, with another algorithm than the one asked for.
	ErrOtherAlgorithm = errors.New("custody: key exists with another algorithm")
)

// Custodian is what a serving replica may do with the keys of tenants. All methods may be called by many goroutines.
//
// Every call ends within about a second whatever happens to the network. When the caller's context ends first, the
// error is both ErrUnavailable and the context's.
type Custodian interface {
	// Sign signs input with one version of the tenant's signing key. The result is the raw signature as JWS wants it
	// (RFC 7515 appendix A.3: for ES256 the 64 bytes R || S, not ASN.1), not yet base64url. The algorithm must be
	// the key's own, as PublicKeys told it; with another the call fails or the signature verifies nowhere.
	Sign(ctx context.Context, t id.Tenant, k SigningKey, input []byte) (jwsSignature []byte, err error)

	// HMAC is HMAC-SHA-256 (RFC 2104) of input under one version of the tenant's sealing key; version 0 is the newest.
	// used tells which it was: keep it, for only the same version gives the same mac again.
	HMAC(ctx context.Context, t id.Tenant, version int, input []byte) (mac []byte, used int, err error)

	// Seal encrypts under the newest version of the tenant's sealing key, bound to the associated data, which are
	// authenticated and not kept. The result is printable text and differs every time.
	Seal(ctx context.Context, t id.Tenant, plaintext, associated []byte) (string, error)

	// Open is the reverse, for every version that ever was. ErrTampered when the tenant, the associated data or the
	// text is not the one of Seal.
	Open(ctx context.Context, t id.Tenant, sealed string, associated []byte) ([]byte, error)

	// Ready reports whether the custodian would answer now: ErrUnavailable if it is away or sealed, ErrDenied if we
	// may not log in. It needs no tenant.
	Ready(ctx context.Context) error
}

// Keymaster is what provisioning may do. It is slower than a Custodian: making an RSA key takes up to seconds.
type Keymaster interface {
	// Create makes the first signing key of a tenant and its sealing key. Making them again changes nothing, so that an
	// interrupted provisioning can be repeated; ErrOtherAlgorithm if the signing key there is of another algorithm.
	Create(ctx context.Context, t id.Tenant, alg Algorithm) error

	// AddSigning makes a version of the tenant's signing key and tells its public half. It is unused until the tenant's
	// schema says otherwise, which gives verifiers time to fetch it; older versions go on signing when told to. Making a
	// version again changes nothing, so whoever was interrupted asks for the same one and gets the same key;
	// ErrOtherAlgorithm if it is of another algorithm, ErrNoKey if the version before is not there.
	AddSigning(ctx context.Context, t id.Tenant, k SigningKey) (PublicKey, error)

	// PublicKeys is every version of the tenant's signing key, oldest first.
	PublicKeys(ctx context.Context, t id.Tenant) ([]PublicKey, error)

	// RotateSealing adds a version to the sealing key and returns it. Older versions go on working: HMAC and Open with the
	// one that was used. An error that is ErrUnavailable may have left a version behind, which does no harm.
	RotateSealing(ctx context.Context, t id.Tenant) (version int, err error)

	// SealingVersion is the newest version of the sealing key.
	SealingVersion(ctx context.Context, t id.Tenant) (int, error)

	// Destroy deletes all keys of a tenant for ever. From then on everything signed, sealed or peppered with them is
	// worthless and every method answers ErrNoKey. Destroying what is not there is no error.
	Destroy(ctx context.Context, t id.Tenant) error

	// Ready is that of a Custodian. Making keys may take many seconds, so whoever is about to asks first, and learns
	// within one whether anybody is there.
	Ready(ctx context.Context) error
}
