// Package id holds the identifiers of the service as distinct types, so that a user id cannot be passed where a
// tenant id is meant. All are UUIDs of version 7 (RFC 9562 section 5.7): ordered by creation time, never reused.
package id

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// Of is an identifier of one kind; the type parameter is only a label and has no values.
type Of[Kind any] [16]byte

type (
	tenantKind  struct{}
	userKind    struct{}
	sessionKind struct{}
	apiKeyKind  struct{}
	domainKind  struct{}
	factorKind  struct{}
	policyKind  struct{}
	ruleKind    struct{}
)

// The identifiers of the service.
type (
	Tenant  = Of[tenantKind]
	User    = Of[userKind]
	Session = Of[sessionKind]
	APIKey  = Of[apiKeyKind]
	Domain  = Of[domainKind]
	Factor  = Of[factorKind]
	Policy  = Of[policyKind]
	Rule    = Of[ruleKind]
)

// ErrMalformed is returned by Parse for anything but the canonical text form.
var ErrMalformed = errors.New("id: not a UUID in canonical form")

// canonical is the one text form accepted. uuid.Parse also takes braces, URNs and bare hex, which would give one
// object several names in URLs, caches and counters.
var canonical = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// New makes an identifier. It panics only if the system has no randomness left to give.
func New[Kind any]() Of[Kind] { return Of[Kind](uuid.Must(uuid.NewV7())) }

// NewTenant, NewUser and the others make an identifier of their kind.
func NewTenant() Tenant   { return New[tenantKind]() }
func NewUser() User       { return New[userKind]() }
func NewSession() Session { return New[sessionKind]() }
func NewAPIKey() APIKey   { return New[apiKeyKind]() }
func NewDomain() Domain   { return New[domainKind]() }
func NewFactor() Factor   { return New[factorKind]() }
func NewPolicy() Policy   { return New[policyKind]() }
func NewRule() Rule       { return New[ruleKind]() }

// Parse reads the canonical text form: lower-case hex in groups of 8-4-4-4-12.
func Parse[Kind any](s string) (Of[Kind], error) {
	if !canonical.MatchString(s) {
		return Of[Kind]{}, ErrMalformed
	}
	u, err := uuid.Parse(s)
	return Of[Kind](u), err
}

// ParseTenant, ParseUser and the others are Parse for their kind.
func ParseTenant(s string) (Tenant, error)   { return Parse[tenantKind](s) }
func ParseUser(s string) (User, error)       { return Parse[userKind](s) }
func ParseSession(s string) (Session, error) { return Parse[sessionKind](s) }
func ParseAPIKey(s string) (APIKey, error)   { return Parse[apiKeyKind](s) }
func ParseDomain(s string) (Domain, error)   { return Parse[domainKind](s) }
func ParseFactor(s string) (Factor, error)   { return Parse[factorKind](s) }
func ParsePolicy(s string) (Policy, error)   { return Parse[policyKind](s) }
func ParseRule(s string) (Rule, error)       { return Parse[ruleKind](s) }

// String is the canonical text form.
func (i Of[Kind]) String() string { return uuid.UUID(i).String() }

// Hex is the identifier as 32 hex digits, for names that may not hold a dash: schemas, roles, keys.
func (i Of[Kind]) Hex() string { return hex.EncodeToString(i[:]) }

// IsZero reports whether the identifier was never set.
func (i Of[Kind]) IsZero() bool { return i == Of[Kind]{} }

// MarshalText and UnmarshalText carry the identifier in JSON and flags.
func (i Of[Kind]) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText is Parse.
func (i *Of[Kind]) UnmarshalText(b []byte) (err error) {
	*i, err = Parse[Kind](string(b))
	return err
}

// UUIDValue and ScanUUID carry the identifier to and from Postgres in binary form.
func (i Of[Kind]) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: i, Valid: !i.IsZero()}, nil
}

// ScanUUID sets the identifier from a Postgres uuid; null is the zero identifier.
func (i *Of[Kind]) ScanUUID(v pgtype.UUID) error {
	if !v.Valid {
		*i = Of[Kind]{}
		return nil
	}
	*i = v.Bytes
	return nil
}

var (
	_ pgtype.UUIDValuer  = Tenant{}
	_ pgtype.UUIDScanner = (*Tenant)(nil)
	_ fmt.Stringer       = Tenant{}
)
