package tenancy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Inventory is what there is of a tenant, by name and number and without anything that is in it.
type Inventory struct {
	Region   string           `json:"region"`
	Database string           `json:"database"`
	Schema   string           `json:"schema"`
	Role     string           `json:"role"`
	Domains  []Host           `json:"domains"` // those it has proved
	Keys     []InventoryKey   `json:"keys"`
	Rows     map[string]int64 `json:"rows"`      // of each table
	AuditLog *InventoryLog    `json:"audit_log"` // nil where there is no log
}

// InventoryKey is a version of the signing key, or the newest of the sealing key, which all others go with.
type InventoryKey struct {
	Purpose   string            `json:"purpose"`
	Version   int               `json:"version,omitempty"`
	Algorithm custody.Algorithm `json:"algorithm,omitempty"`
	KID       string            `json:"kid,omitempty"`
}

// InventoryLog is the newest link of the tenant's audit log: the digest of all of it, against which an export that somebody
// kept can be held.
type InventoryLog struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"` // hex
}

// placement is a database by its name. One that is not configured here may be at another replica, which then goes on.
func (p *Provisioner) placement(database string) (ProvisioningDB, error) {
	place, ok := p.Placements[database]
	if !ok {
		return ProvisioningDB{}, problem.Unavailable(2*time.Second, fmt.Errorf("tenancy: database %q is not configured here", database))
	}
	return place.ProvisioningDB, nil
}

// inventory counts what there is. What is missing is counted as nothing: a tenant whose keys or schema were lost can be deleted
// like any other.
func (p *Provisioner) inventory(ctx context.Context, t id.Tenant, database, region string) (Inventory, error) {
	place, err := p.placement(database)
	if err != nil {
		return Inventory{}, err
	}
	v := Inventory{Region: region, Database: database, Schema: namespace(t), Role: namespace(t), Keys: []InventoryKey{}}
	public, err := p.Keys.PublicKeys(ctx, t)
	if err != nil && !errors.Is(err, custody.ErrNoKey) {
		return v, KeysError(err)
	}
	sealing, err := p.Keys.SealingVersion(ctx, t)
	if err != nil && !errors.Is(err, custody.ErrNoKey) {
		return v, KeysError(err)
	}
	if err == nil {
		v.Keys = append(v.Keys, InventoryKey{Purpose: "sealing", Version: sealing})
	}
	for _, k := range public {
		v.Keys = append(v.Keys, InventoryKey{Purpose: "signing", Version: k.Version, Algorithm: k.Algorithm, KID: k.KeyID()})
	}
	v.Rows, v.AuditLog, err = place.countRows(ctx, v.Schema)
	return v, err
}
