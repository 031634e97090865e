package identity

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Furnisher puts into a new tenant what identity needs there: the owner, if there is one, and the key the tenant is
// administered with until its people can sign in.
type Furnisher struct{}

var _ tenancy.Furnisher = Furnisher{}

// blueprint is kept in the directory until the tenant is usable; of the key it holds the hash alone.
type blueprint struct {
	Owner   *User     `json:"owner,omitempty"`
	Key     APIKey    `json:"key"`
	KeyHash []byte    `json:"key_hash"`
	At      time.Time `json:"at"`
}

// Plan makes the blueprint of a tenant.
func (Furnisher) Plan(t tenancy.Tenant) (tenancy.Plan, error) {
	n := NewAPIKey{Name: "Administration", Scopes: set(scopesOf(t.Master))}
	key, raw := generateAPIKey(t, n, id.User{}, t.CreatedAt)
	b := blueprint{Key: key, KeyHash: key.hash, At: t.CreatedAt}
	plan := tenancy.Plan{AdminKey: raw}
	if t.OwnerEmail != "" {
		plan.OwnerID = id.NewUser()
		b.Owner = &User{ID: plan.OwnerID, Email: Email(t.OwnerEmail), Name: t.OwnerName, Roles: []Role{RoleAdmin}, AuthProvider: ProviderLocal,
			Active: true, Owner: true, CreatedAt: t.CreatedAt}
		if b.Owner.Name == "" {
			b.Owner.Name, _, _ = strings.Cut(t.OwnerEmail, "@")
		}
	}
	text, err := json.Marshal(b)
	plan.Blueprint = string(text)
	return plan, err
}

// Furnish carries a blueprint out, as often as it takes.
func (Furnisher) Furnish(ctx context.Context, tx tenancy.Tx, text string) error {
	var b blueprint
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return err
	}
	b.Key.hash = b.KeyHash
	if err := insertAPIKey(ctx, tx, b.Key); err != nil {
		return err
	}
	if b.Owner != nil {
		if err := insertOwner(ctx, tx, *b.Owner); err != nil {
			return err
		}
		if err := welcome(ctx, tx, *b.Owner, false, b.At); err != nil {
			return err
		}
	}
	return recordAll(ctx, tx, b.events(tx.Tenant().ID))
}

// events are the first entries of the tenant's own log. A schema is furnished in the transaction that makes it, so they are
// there once.
func (b blueprint) events(t id.Tenant) []audit.Event {
	by := audit.Actor{Type: audit.ByPlatform}
	all := []audit.Event{
		{Action: "tenant.created", Actor: by, ResourceType: "tenant", ResourceID: t.String(), At: b.At},
		apiKeyCreated(by, b.Key),
	}
	if b.Owner != nil {
		all = append(all, userCreated(by, *b.Owner).With("owner", true), userInvited(by, b.Owner.ID, b.At))
	}
	return all
}
