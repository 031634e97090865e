// Package bundle is the file in which a tenant leaves one installation and comes into another. It knows the form of the file and
// nothing of databases, custody or directories.
//
//	gatehouse-tenant-bundle/1\n
//	part ...   a table each: its name and columns, then its rows as Postgres writes them (COPY, text)
//	manifest   whose it is, of which schema, every part with its number of rows and its SHA-256; a JWS of the tenant's own key
//
// Everything is a frame: a letter, a length, and as many bytes. The manifest comes last, because it is written in one pass, and
// nothing may follow it. Whoever reads believes nothing before the manifest is there, its signature holds and its parts
// are those that were read, in their order: so a bundle is read twice, first to the end, and then again to be used.
//
// A bundle has one spelling: chunks are full but for the last of a part, and headers are as encoding/json writes them. So what is
// read and written again is the same, byte for byte, and there is nothing in a file that no hash is over.
//
// It holds personal data and opened secrets. Whoever writes one writes it into something that seals it to its receiver, such as age;
// this package does not see that.
package bundle

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Format names the form of the file and the meaning of what is in it.
const Format = "gatehouse-tenant-bundle/1"

const magic = Format + "\n"

// Frames. All sizes are bounded, so that a file that lies about one costs no memory.
const (
	frameBegin    = 'B' // a part begins: its header
	frameData     = 'D' // some of its bytes
	frameEnd      = 'E' // it ends
	frameManifest = 'M' // the JWS of the manifest

	chunk       = 64 << 10
	maxHeader   = 64 << 10
	maxManifest = 4 << 20
	maxParts    = 1000
)

// What is wrong with a file, as the end of a sentence that begins with the file.
var (
	ErrNotBundle = errors.New("is not a tenant's bundle, or of a form that this program does not know")
	ErrCutOff    = errors.New("is cut off: its end is missing")
	ErrMalformed = errors.New("is damaged: it is not in the form of a bundle")
	ErrAltered   = errors.New("was altered: its parts are not those that its manifest was signed with")
)

// Manifest says what a bundle holds. It is what is signed.
type Manifest struct {
	Format        string    `json:"format"`
	ID            uuid.UUID `json:"bundle_id"`
	ExportedAt    time.Time `json:"exported_at"`
	Issuer        string    `json:"issuer"` // the tenant's, where it comes from
	Frozen        bool      `json:"frozen"` // nobody could use the tenant there any more
	SchemaVersion int       `json:"schema_version"`
	// Custody is a mac of the bundle's id, under the tenant's key: where custody makes the same one, the keys are the same.
	Custody []byte            `json:"custody"`
	Tenant  Tenant            `json:"tenant"`
	Domains []Domain          `json:"domains"`
	Keys    []json.RawMessage `json:"keys"`               // JWKs of all signing keys, oldest first
	Newest  int               `json:"newest_key_version"` // of the signing keys, in the custody that the bundle comes from
	Parts   []Part            `json:"parts"`
}

// Tenant is what the directory knew of the tenant.
type Tenant struct {
	ID               id.Tenant `json:"id"`
	Slug             string    `json:"slug"`
	Name             string    `json:"name"`
	Locale           string    `json:"locale"`
	SigningAlgorithm string    `json:"signing_algorithm"`
	OwnerEmail       string    `json:"owner_email"`
	OwnerName        string    `json:"owner_name"`
	OwnerID          id.User   `json:"owner_id"`
	PrimaryDomain    string    `json:"primary_domain"`
	CreatedAt        time.Time `json:"created_at"`
}

// Domain is a name that the tenant had claimed. That it was proved where the bundle comes from proves nothing elsewhere, so it is not
// said.
type Domain struct {
	Domain string   `json:"domain"`
	Uses   []string `json:"uses"`
}

// Header is what a part begins with.
type Header struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Part is a part that was written or read to its end.
type Part struct {
	Header

	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 Digest `json:"sha256"` // of the rows
}

// Rows is how many rows there are in a part; 0 where there is no such part.
func (m Manifest) Rows(name string) (n int64) {
	for _, p := range m.Parts {
		if p.Name == name {
			n = p.Rows
		}
	}
	return n
}

// Digest is a SHA-256.
type Digest [32]byte

// MarshalText writes hex digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText reads what MarshalText wrote, in the one spelling it has.
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) || hex.EncodeToString(b) != string(text) {
		return errors.New("bundle: not a digest")
	}
	copy(d[:], b)
	return nil
}
