package tenancy

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// change runs a change of one tenant's domains, after those that others began, and then sees to the primary domain: it is the
// present one as long as that is a proved host, else the one proved longest. Where it is another than before the issuer is,
// too, so the former one is kept for the tokens that name it, and the log is told.
func (s *Domains) change(ctx context.Context, t id.Tenant, by Actor, do func(context.Context, directoryTx, *entries) error) error {
	told := s.Outbox.bundle()
	err := s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		if err := oneAtATime(ctx, tx, t); err != nil {
			return err
		}
		was, err := primaryDomain(ctx, tx, t)
		if err != nil {
			return err
		}
		if err := do(ctx, tx, told); err != nil {
			return err
		}
		is, err := succeed(ctx, tx, t)
		if err != nil || is.Domain == was.Domain {
			return err
		}
		return s.tellOfIssuer(ctx, tx, told, by, was, is)
	})
	if err == nil {
		told.deliver(ctx)
	}
	return err
}

func (s *Domains) tellOfIssuer(ctx context.Context, tx directoryTx, told *entries, by Actor, was, is Domain) error {
	now := s.Now()
	if err := keepIssuer(ctx, tx, is.Tenant, was.Domain, now); err != nil || is.ID.IsZero() {
		return err // a tenant without a proved host: that its last one went has been told
	}
	e := is.event("domain.made_primary", by, now)
	if was.Domain != "" {
		e = e.With("was", was.Domain)
	}
	return told.put(ctx, tx, is.Tenant, e)
}

// MakePrimary moves the tenant's issuer and links to a domain. Tokens of the issuer before are good until they expire.
// Errors: ErrUnknown; 409 not_verified; 409 not_a_host where it is for e-mail alone.
func (s *Domains) MakePrimary(ctx context.Context, by Admitted, domain id.Domain) (d Domain, err error) {
	t := by.Tenant.ID
	err = s.change(ctx, t, by.Actor, func(ctx context.Context, tx directoryTx, _ *entries) error {
		if d, err = domainByID(ctx, tx, t, domain); err != nil {
			return err
		}
		switch {
		case d.VerifiedAt == nil:
			return problem.New(problem.KindConflict, "not_verified", "The domain has to be verified first.")
		case !slices.Contains(d.Uses, UseHost):
			return problem.New(problem.KindConflict, "not_a_host", "The domain is for e-mail addresses and serves no host.")
		}
		d.Primary = true
		return setPrimary(ctx, tx, d)
	})
	return d, err
}
