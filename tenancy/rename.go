package tenancy

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// A tenant may be given another slug. Nothing it owns is named by it: schema, role and keys are named by the id, and
// credentials name the id. What the old slug named leads nowhere then, like a slug nobody ever had, and it is parked: no other
// tenant is ever given it, and this one may take it back.

// renames tells whether a change is one of the slug.
func (c Change) renames(was Tenant) bool { return c.Slug != nil && *c.Slug != was.Slug }

// domainOfRename is the domain that comes with the new slug, or "" where none does.
func (p *Provisioner) domainOfRename(ctx context.Context, c Change) (Host, error) {
	if c.Slug == nil {
		return "", nil
	}
	return p.freeDomain(ctx, *c.Slug)
}

// rename gives a tenant, whose record is locked, another slug and the domain that comes with it. The domain that came with the
// old one stays, and stays the primary one: a new issuer would be news to every client, and passkeys belong to a host. An
// administrator of the tenant decides when.
func rename(ctx context.Context, tx provisionTx, was Tenant, to Slug, given Host, now time.Time) error {
	if was.Master {
		return problem.New(problem.KindConflict, "platform_protected", "The platform tenant cannot be renamed.")
	}
	if err := keepIssuerOfSlug(ctx, tx, was.ID, now); err != nil {
		return err
	}
	if err := updateSlug(ctx, tx, was.ID, to); err != nil {
		return err
	}
	if given == "" {
		return nil
	}
	d := newDomain(was.ID, given, []Use{UseHost}, now)
	d.VerifiedAt = &now
	return giveDomain(ctx, tx, d)
}
