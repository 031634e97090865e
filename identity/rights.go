package identity

import (
	"errors"
	"slices"
	"strings"
)

// Role is what a user of a tenant is there.
type Role string

// The roles there are. An administrator may do everything in the tenant.
const (
	RoleAdmin Role = "admin"
	RoleUser  Role = "user"
)

// Scope is what an API key may do.
type Scope string

// TenantScopes are all scopes of a tenant's keys.
var TenantScopes = []Scope{
	"users:read", "users:write", "settings:read", "settings:write", "domains:write", "policies:write", "keys:write", "audit:read",
}

// PlatformScopes exist besides in the platform tenant alone.
var PlatformScopes = []Scope{"tenants:read", "tenants:write"}

// scopesOf are the scopes keys of a tenant can have.
func scopesOf(master bool) []Scope {
	if master {
		return slices.Concat(TenantScopes, PlatformScopes)
	}
	return TenantScopes
}

var (
	errRoles  = errors.New("must hold roles from: admin, user")
	errScopes = errors.New("must hold at least one scope, from: " + joined(TenantScopes) + "; at the platform also " + joined(PlatformScopes))
)

func joined(scopes []Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// parseRoles checks a list of roles and makes it a set.
func parseRoles(roles []Role) ([]Role, error) {
	for _, r := range roles {
		if r != RoleAdmin && r != RoleUser {
			return nil, errRoles
		}
	}
	return set(roles), nil
}

func parseScopes(scopes []Scope, master bool) ([]Scope, error) {
	known := scopesOf(master)
	for _, s := range scopes {
		if !slices.Contains(known, s) {
			return nil, errScopes
		}
	}
	if len(scopes) == 0 {
		return nil, errScopes
	}
	return set(scopes), nil
}

func set[T ~string](items []T) []T {
	s := slices.Clone(items)
	slices.Sort(s)
	s = slices.Compact(s)
	if s == nil {
		s = []T{}
	}
	return s
}

func contains[T comparable](all, some []T) bool {
	return !slices.ContainsFunc(some, func(s T) bool { return !slices.Contains(all, s) })
}
