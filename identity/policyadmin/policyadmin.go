// Package policyadmin keeps the policies of tenants and lets their administrators read, write and rehearse them.
//
// A policy is some rules under a name (see identity/policy), which hold or are watched together. All policies of a tenant are
// one [policy.Set], compiled once and remembered until one of them changes; every replica hears of a change within a second.
//
//	PUT /v1/policies/{id} --Store.change--> policies (the tenant's schema) --Store.Of--> policy.Set --> identity.Judge
//	                            |
//	                     would the caller be locked out?
//
// Traps: a change is judged by the rules as they will be, under a lock that others who change rules wait for, so two changes
// at once cannot lock out together who neither would alone.
package policyadmin

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Mode is what a policy's rules do.
type Mode string

// The modes. Rules in Shadow are evaluated with every login, and what they would have denied is recorded.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow"
)

// Limits of a tenant's policies. They bound what evaluating all of them takes; docs/benchmarks.md says how long that is.
const (
	maxPolicies = 100
	maxRules    = 1000      // of all policies
	maxText     = 256 << 10 // bytes of all rules
)

// Policy is some rules under a name.
type Policy struct {
	ID          id.Policy
	Name        string
	Description string
	Enabled     bool
	Priority    int // whose notices are told first: those of the highest
	Mode        Mode
	Rules       []Rule
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Rule is a rule of a policy.
type Rule struct {
	ID        id.Rule
	Ordinal   int // its place among the policy's rules
	CreatedAt time.Time
	policy.Rule
}

// Store keeps policies in the tenant's schema.
type Store struct {
	StoreOptions
	known      *tenancy.PerTenant[*policy.Set]
	rehearsals chan struct{} // a place for each that may run at once
}

// StoreOptions configures NewStore.
type StoreOptions struct {
	DB        *tenancy.DB
	Directory *tenancy.Directory
	Repeat    *tenancy.Repeat
	Settings  *settings.Store
	Now       func() time.Time
}

// NewStore makes a Store.
func NewStore(o StoreOptions) *Store {
	s := &Store{StoreOptions: o, rehearsals: make(chan struct{}, 1)}
	s.known = tenancy.NewPerTenant(s.compiled)
	return s
}

var _ identity.Policies = (*Store)(nil)

// Of is the rules of a tenant from memory. They are compiled once for each version of them.
func (s *Store) Of(ctx context.Context, t tenancy.Tenant) (*policy.Set, error) {
	return s.known.Of(ctx, t)
}

func (s *Store) compiled(ctx context.Context, t tenancy.Tenant) (*policy.Set, error) {
	var rows []kept
	if err := s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { queueRead(b, &rows) }); err != nil {
		return nil, err
	}
	if isDefault(rows) { // and not parsed: most tenants have these rules
		return undecided(), nil
	}
	all, err := parsed(rows)
	if err != nil {
		return nil, err
	}
	return compile(all), nil
}

// Read is the policies of a tenant as the database has them now, those of the highest priority first.
func (s *Store) Read(ctx context.Context, t tenancy.Tenant) ([]Policy, error) {
	var rows []kept
	if err := s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { queueRead(b, &rows) }); err != nil {
		return nil, err
	}
	return parsed(rows)
}

// moment is now, as exactly as it is kept.
func (s *Store) moment() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// compile makes the set of those policies that are enabled.
func compile(all []Policy) *policy.Set {
	var rules []policy.Named
	for _, p := range all {
		if !p.Enabled {
			continue
		}
		for _, r := range p.Rules {
			rules = append(rules, policy.Named{Policy: p.ID, ID: r.ID, Rule: r.Rule, Shadow: p.Mode == Shadow})
		}
	}
	return policy.Compile(rules)
}
