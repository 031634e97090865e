package tenancy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Bundles takes tenants out of an installation and into another one. What a bundle is stands in package bundle.
//
// Rows go along as they are, under their ids. What does not is what only the keys of the tenant can open or check, and those never
// leave custody (see Belonging): what can be opened is opened, put into the bundle, and sealed anew by the keys that the tenant is
// given where it comes to. What can only be checked is lost there.
type Bundles struct{ BundlesOptions }

// BundlesOptions configures NewBundles.
type BundlesOptions struct {
	Provisioner *Provisioner
	Keyring     *Keyring
	Custodian   custody.Custodian
	Address     Address
	Times       KeyTimes
	Belongings  []Belonging
}

// NewBundles makes a Bundles.
func NewBundles(o BundlesOptions) *Bundles { return &Bundles{o} }

// Belonging is what a part of the service keeps in tenants' schemas that is worth nothing without the tenant's keys. Package mfa and
// package transfer of identity satisfy it: tenancy knows no factors and no passwords.
type Belonging interface {
	// Column is where it keeps what is sealed.
	Column() SealedColumn
	// Open is what a value of the column is, and Seal the reverse. They ask custody, so they are not called inside a transaction.
	Open(ctx context.Context, t Tenant, user id.User, sealed string) (plain []byte, err error)
	Seal(ctx context.Context, t Tenant, user id.User, plain []byte) (sealed string, err error)
	// Estrange puts right, in a schema that was filled by a bundle of another custody, what nothing can be checked with here, and
	// says how much was lost of what.
	Estrange(ctx context.Context, tx Tx) (lost map[string]int64, err error)
}

// SealedColumn is a column of text some values of which are sealed, each for a user. All names are the program's own.
type SealedColumn struct {
	Table  string
	Column string
	User   string // the column that says whose
	Sealed string // the condition under which the value is a sealed one
}

// part is the name of the part of a bundle that has what was opened.
func (c SealedColumn) part() string { return "opened " + c.Table + "." + c.Column }

// bundleType tells a manifest from everything else that a tenant's key signs.
const bundleType = "gatehouse-tenant-bundle+jws"

// leftBehind are the tables whose rows are good for minutes, or for this installation only: challenges, mails on their way, answers
// kept under an Idempotency-Key, counts of failures by names that the tenant's key makes.
var leftBehind = []string{"idempotency_keys", "challenges", "return_codes", "mails", "mail_budgets", "failures", "factor_failures"}

// custodyProof is made the same by custodies that have the same keys of a tenant, and tells nothing about them.
func (b *Bundles) custodyProof(ctx context.Context, t id.Tenant, of uuid.UUID) ([]byte, error) {
	mac, _, err := b.Custodian.HMAC(ctx, t, 1, []byte("gatehouse/bundle-custody/1\x00"+t.String()+of.String()))
	return mac, err
}

// Opened is a bundle that was read to its end and found whole and signed.
type Opened struct {
	bundle.Manifest

	KID    string // of the key that has signed it
	opened map[string]map[string][]byte
}

// maxOpened bounds what a bundle can have this process remember: some hundred thousand secrets.
const maxOpened = 256 << 20

// OpenBundle reads a bundle and verifies it, by the keys that it brings itself: that shows damage. Forgery is shown by the key's
// thumbprint, which whoever made the bundle was told, or by the tenant's published keys. Errors: those of package bundle, and of read.
func OpenBundle(read func() (io.ReadCloser, error)) (Opened, error) {
	o := Opened{opened: map[string]map[string][]byte{}}
	from, err := read()
	if err != nil {
		return o, err
	}
	defer func() { _ = from.Close() }()
	size := 0
	parts, jws, err := bundle.Read(from, func(h bundle.Header, rows io.Reader) error {
		if !strings.HasPrefix(h.Name, "opened ") {
			return nil
		}
		values := map[string][]byte{}
		o.opened[h.Name] = values
		return bundle.Rewrite(io.Discard, rows, 2, 1000, func(rows [][]string) error {
			for _, row := range rows {
				plain, err := base64.StdEncoding.DecodeString(row[1])
				if size += len(row[0]) + len(plain); err != nil || size > maxOpened {
					return bundle.ErrMalformed
				}
				values[row[0]] = plain
			}
			return nil
		})
	})
	if err != nil {
		return o, err
	}
	keys, err := keysOfManifest(jws)
	if err != nil {
		return o, err
	}
	if o.KID, err = OpenStatement(jws, bundleType, keys, &o.Manifest); errors.Is(err, ErrOtherStatement) {
		return o, bundle.ErrMalformed
	} else if err != nil {
		return o, fmt.Errorf("%w (its manifest: %w)", bundle.ErrAltered, err)
	}
	return o, o.Check(parts)
}

// keysOfManifest are the keys that a manifest brings, whoever has signed it.
func keysOfManifest(jws string) (map[string]VerificationKey, error) {
	_, payload, _ := strings.Cut(jws, ".")
	payload, _, _ = strings.Cut(payload, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, bundle.ErrMalformed
	}
	var m bundle.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, bundle.ErrMalformed
	}
	keys := map[string]VerificationKey{}
	for _, text := range m.Keys {
		kid, alg, public, err := custody.ParseJWK(text)
		if err != nil {
			return nil, bundle.ErrMalformed
		}
		keys[kid] = VerificationKey{alg, public}
	}
	return keys, nil
}

// microseconds is a time in the precision that Postgres keeps.
func microseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
