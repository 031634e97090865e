// Package tenancy answers the first question about every request: whose is it?
//
// A request belongs to exactly one tenant, found from its canonical host or, on the platform's shared host, from a
// path prefix, a slug in the body or the credential (see [Resolver]). What is found is a [Tenant]: the key to
// everything the tenant owns. SQL runs only through [DB], which takes a Tenant and confines the transaction to that
// tenant's schema and role; signing keys come only from [Keyring] for a Tenant; tenants are made only by
// [Provisioner].
//
//	host, slug, credential --> Resolver --> Tenant --> DB.InTx, DB.InBatch   (its schema, its role)
//	                              |            '----> Keyring               (its public keys; custody signs)
//	                          Directory  <--- NOTIFY --- Provisioner, Domains
//	                       (cached records)
//
// Traps known here: schema and role are named from the immutable id and never from the slug, which may be renamed;
// nothing about a tenant may outlive a transaction on a pooled connection; a lookup that began before a change of the
// directory must not be cached after it.
package tenancy

import (
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// State is where a tenant stands in its life.
type State string

// A tenant being provisioned is known to nobody but the provisioner; a suspended one answers only discovery and JWKS; one that
// is to be deleted is known to the administrators of the platform alone; of one that was deleted there is no record.
const (
	Provisioning State = "provisioning"
	Active       State = "active"
	Suspended    State = "suspended"
	Deleting     State = "deleting"
	Deleted      State = "deleted"
)

// Tenant is one record of the directory. The zero Tenant owns nothing and is refused by every method that takes one.
type Tenant struct {
	ID               id.Tenant
	Slug             Slug
	Name             string
	Locale           string // BCP 47
	Region           string
	Database         string // the configured database its schema lives in
	State            State
	Master           bool // the platform tenant, whose administrators manage the others
	SigningAlgorithm custody.Algorithm
	OwnerEmail       string
	OwnerName        string
	OwnerID          id.User
	SchemaVersion    int
	PrimaryDomain    Host           // empty where the tenant has no proved host of its own
	FormerIssuers    []FormerIssuer // see Address.Issued
	CreatedAt        time.Time
	UpdatedAt        time.Time

	stamp int64 // tells one reading of the record from another; 0: not from the directory's memory
}

// namespace is the name of the tenant's schema and of its role. 34 bytes, so that Postgres, which silently cuts names
// at 63, never cuts it; hex digits only, so that it needs no quoting anywhere.
func namespace(t id.Tenant) string { return "t_" + t.Hex() }

// Schema is the name of the tenant's schema and of its role, for what works on schemas as their owner. It needs no quoting.
func Schema(t id.Tenant) string { return namespace(t) }
