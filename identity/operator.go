package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Operator is the caller of commands run on the installation itself. Whoever can run them holds the database and could
// do anything; the rules that protect an owner from other administrators still hold.
func Operator(t tenancy.Tenant) Caller {
	return Caller{Tenant: t, Key: &APIKey{Name: "operator", Scopes: scopesOf(t.Master)}}
}

// Add is Create for an operator.
func (s *Users) Add(ctx context.Context, t tenancy.Tenant, n NewUser) (made User, err error) {
	_, err = s.Create(ctx, Operator(t), tenancy.Operation{}, n, func(u User) any { made = u; return nil })
	return made, err
}

// ParseNewUser reads a user as an operator types one.
func ParseNewUser(email, name string, roles []string, verified bool) (n NewUser, err error) {
	if n.Email, err = ParseEmail(email); err != nil {
		return n, fmt.Errorf("address %w", err)
	}
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	if n.Name, err = tenancy.ParseName(name); err != nil {
		return n, fmt.Errorf("name %w", err)
	}
	for _, r := range roles {
		n.Roles = append(n.Roles, Role(r))
	}
	if n.Roles, err = parseRoles(n.Roles); err != nil {
		return n, fmt.Errorf("roles %w", err)
	}
	n.EmailVerified = verified
	return n, nil
}

// ParseNewAPIKey reads a key as an operator types one; no scopes are all of them.
func ParseNewAPIKey(t tenancy.Tenant, name string, scopes []string) (n NewAPIKey, err error) {
	if n.Name, err = tenancy.ParseName(name); err != nil {
		return n, fmt.Errorf("name %w", err)
	}
	for _, s := range scopes {
		n.Scopes = append(n.Scopes, Scope(s))
	}
	if len(n.Scopes) == 0 {
		n.Scopes = scopesOf(t.Master)
	}
	if n.Scopes, err = parseScopes(n.Scopes, t.Master); err != nil {
		return n, fmt.Errorf("scopes %w", err)
	}
	return n, nil
}
