package identity

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// APIKey is a credential for automation. It belongs to one tenant and carries scopes; of the key itself only a hash is
// kept.
type APIKey struct {
	ID         id.APIKey
	Name       string
	Prefix     string // the beginning of the key, by which its holder recognises it
	Scopes     []Scope
	CreatedBy  id.User // zero: not made by a user
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	LastUsedAt *time.Time // to the minute

	hash []byte
}

// APIKeys is the administration of a tenant's API keys.
type APIKeys struct {
	DB     *tenancy.DB
	Repeat *tenancy.Repeat
	Now    func() time.Time
}

// NewAPIKey is what is said about a key to be.
type NewAPIKey struct {
	Name      string
	Scopes    []Scope
	ExpiresAt *time.Time
}

// visible is how much of a key is kept to recognise it by: all that is no secret, and 36 bits of the 256 that are.
const visible = len(tenancy.KeyPrefix) + 26 + 1 + 6

// generateAPIKey makes a key and its text, which is shown once.
func generateAPIKey(t tenancy.Tenant, n NewAPIKey, by id.User, now time.Time) (APIKey, string) {
	raw := newSecret(tenancy.KeyPrefix, t)
	return APIKey{ID: id.NewAPIKey(), Name: n.Name, Prefix: raw[:visible], Scopes: n.Scopes, CreatedBy: by,
		CreatedAt: now.UTC().Truncate(time.Microsecond), ExpiresAt: n.ExpiresAt, hash: hashSecret(raw)}, raw
}

// Create makes a key. A user must have signed in lately and be an administrator through and through: whoever a rule lets make
// keys would else make one that may more. A key can only make keys that may no more than itself. Errors: 403 reauthentication_required, 403 forbidden.
func (s *APIKeys) Create(ctx context.Context, by Caller, op tenancy.Operation, n NewAPIKey, render func(APIKey, string) any) (json.RawMessage, error) {
	if err := by.Fresh(s.Now()); err != nil {
		return nil, err
	}
	if by.Key != nil && !contains(by.Key.Scopes, n.Scopes) || by.Key == nil && !by.administers() {
		return nil, problem.Forbidden()
	}
	return s.Repeat.Create(ctx, by.Tenant, op, func(context.Context) (any, func(context.Context, tenancy.Tx) error, error) {
		if by.Key != nil && by.Key.ExpiresAt != nil && (n.ExpiresAt == nil || n.ExpiresAt.After(*by.Key.ExpiresAt)) {
			n.ExpiresAt = by.Key.ExpiresAt // or a key would live on in the ones it makes
		}
		var maker id.User
		if by.User != nil {
			maker = by.User.ID
		}
		k, raw := generateAPIKey(by.Tenant, n, maker, s.Now())
		return render(k, raw), func(ctx context.Context, tx tenancy.Tx) error { return addAPIKey(ctx, tx, by.Actor(), k) }, nil
	})
}

// addAPIKey files a key that somebody made.
func addAPIKey(ctx context.Context, tx tenancy.Tx, by audit.Actor, k APIKey) error {
	if err := insertAPIKey(ctx, tx, k); err != nil {
		return err
	}
	return audit.Record(ctx, tx, apiKeyCreated(by, k))
}

func apiKeyCreated(by audit.Actor, k APIKey) audit.Event {
	e := audit.Event{Action: "api_key.created", Actor: by, ResourceType: "api_key", ResourceID: k.ID.String(), At: k.CreatedAt}.With("scopes", k.Scopes)
	if k.ExpiresAt != nil {
		e = e.With("expires_at", k.ExpiresAt)
	}
	return e
}

// Issue makes a key for an operator at the command line, where no caller asks.
func (s *APIKeys) Issue(ctx context.Context, t tenancy.Tenant, n NewAPIKey) (APIKey, string, error) {
	k, raw := generateAPIKey(t, n, id.User{}, s.Now())
	return k, raw, s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		return addAPIKey(ctx, tx, audit.Actor{Type: audit.ByOperator}, k)
	})
}

// List is a page of keys in the order they were made.
func (s *APIKeys) List(ctx context.Context, t tenancy.Tenant, after id.APIKey, limit int) (all []APIKey, err error) {
	err = s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listAPIKeys(b, after, limit, &all) })
	return all, err
}

// Revoke ends a key; it is refused from then on. A key cannot end one that may more than itself. Errors: 404 not_found,
// 403 forbidden.
func (s *APIKeys) Revoke(ctx context.Context, by Caller, k id.APIKey) error {
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		scopes, err := deleteAPIKey(ctx, tx, k)
		if err == nil && by.Key != nil && !contains(by.Key.Scopes, scopes) {
			return problem.Forbidden()
		}
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "api_key.revoked", Actor: by.Actor(), ResourceType: "api_key", ResourceID: k.String(), At: s.Now()})
	})
}
