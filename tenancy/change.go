package tenancy

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Change is what an administrator of the platform may change of a tenant; nil is left as it is.
type Change struct {
	By           Actor
	Slug         *Slug // see rename.go
	Name, Locale *string
	Suspended    *bool
}

// Update changes a tenant. Errors: ErrUnknown; 409 platform_protected where the platform tenant would be suspended or
// renamed; 409 slug_taken; 409 tenant_deleting.
func (p *Provisioner) Update(ctx context.Context, t id.Tenant, c Change) error {
	given, err := p.domainOfRename(ctx, c)
	if err != nil {
		return err
	}
	told := p.Outbox.bundle()
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		// Who claims a domain takes the domains' lock and then, by its reference, the tenant's row: in another order the two
		// would wait for each other.
		if c.Slug != nil {
			if err := oneAtATime(ctx, tx, t); err != nil {
				return err
			}
		}
		was, err := lockTenant(ctx, tx, t)
		if err != nil {
			return err
		}
		if was.State == Deleting {
			return tenantDeleting()
		}
		if was.Master && c.Suspended != nil && *c.Suspended {
			return problem.New(problem.KindConflict, "platform_protected", "The platform tenant cannot be suspended.")
		}
		now := p.Now()
		if c.renames(was) {
			if err := rename(ctx, tx, was, *c.Slug, given, now); err != nil {
				return err
			}
		}
		if err := updateTenant(ctx, tx, t, c, now); err != nil {
			return err
		}
		for _, a := range c.did(was) {
			e := Event{Action: a.action, Actor: c.By, ResourceType: "tenant", ResourceID: t.String(), Metadata: a.metadata, At: now}
			if err := tell(ctx, tx, told, was, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		told.deliver(ctx)
	}
	return err
}

func tenantDeleting() error {
	return problem.New(problem.KindConflict, "tenant_deleting", "This tenant is to be deleted. Restore it first.")
}

// deed is one of the things a change does.
type deed struct {
	action   Action
	metadata map[string]any
}

// did is what a change does to a tenant as it was.
func (c Change) did(was Tenant) (all []deed) {
	var fields []string
	for _, f := range []struct {
		name string
		to   *string
		was  string
	}{{"locale", c.Locale, was.Locale}, {"name", c.Name, was.Name}} {
		if f.to != nil && *f.to != f.was {
			fields = append(fields, f.name)
		}
	}
	if fields != nil {
		all = append(all, deed{"tenant.updated", map[string]any{"fields": fields}})
	}
	if c.renames(was) {
		all = append(all, deed{"tenant.renamed", map[string]any{"slug": *c.Slug, "was": was.Slug}})
	}
	if c.Suspended != nil && *c.Suspended != (was.State == Suspended) {
		action := Action("tenant.resumed")
		if *c.Suspended {
			action = "tenant.suspended"
		}
		all = append(all, deed{action, nil})
	}
	return all
}

// tell puts an event of a tenant into the platform's log, with who did it, and into the tenant's own, where the platform did
// it: its administrators are nobody's to know.
func tell(ctx context.Context, tx provisionTx, told *entries, about Tenant, e Event) error {
	platform, err := platformID(ctx, tx)
	if err != nil {
		return err
	}
	if !platform.IsZero() {
		if err := told.put(ctx, tx, platform, e); err != nil || platform == about.ID {
			return err
		}
	}
	e.Actor = Actor{Type: ByPlatform}
	return told.put(ctx, tx, about.ID, e)
}

// tellOfMaking puts the making of a tenant into the platform's log, to go there when the tenant is usable. Its own log begins
// with it anyway.
func (p *Provisioner) tellOfMaking(ctx context.Context, tx provisionTx, by Actor, t Tenant) error {
	platform, err := platformID(ctx, tx)
	if err != nil || platform.IsZero() {
		return err
	}
	e := Event{Action: "tenant.created", Actor: by, ResourceType: "tenant", ResourceID: t.ID.String(), At: t.CreatedAt}
	return p.Outbox.bundle().putAbout(ctx, tx, platform, t.ID, e)
}
