package tenancy

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Use is what a tenant wants a domain for.
type Use string

// A domain may name the host that the tenant is served on, the domain of its people's e-mail addresses, or both.
const (
	UseHost  Use = "host"
	UseEmail Use = "email"
)

// ParseUses reads what a domain is to be for, each use once. The error's sentence is safe to show.
func ParseUses(all []string) ([]Use, error) {
	uses := make([]Use, len(all))
	for i, s := range all {
		if uses[i] = Use(s); uses[i] != UseHost && uses[i] != UseEmail {
			return nil, errUses
		}
	}
	if len(uses) == 0 {
		return nil, errUses
	}
	slices.Sort(uses)
	return slices.Compact(uses), nil
}

var errUses = errors.New("must hold host, email or both")

// Domain is a name a tenant claims and, once VerifiedAt is set, has proved to control. Until then it has no effect.
type Domain struct {
	ID                id.Domain
	Tenant            id.Tenant
	Domain            Host
	Uses              []Use
	VerificationToken string
	VerifiedAt        *time.Time
	Primary           bool // issuer and links use it
	CreatedAt         time.Time
	CheckedAt         *time.Time // when DNS last said whether the proof is there
	FailingSince      *time.Time // since when it says that it is not
	LostAt            *time.Time // when the domain was lost for that

	given  bool // by the platform: nobody has to prove it
	misses int  // lookups in a row that did not find the proof
}

// DomainState is where a domain stands.
type DomainState string

// What a tenant claims is pending until it is verified; a domain whose proof is missing is failing, and serves, until it is lost.
const (
	DomainPending  DomainState = "pending"
	DomainVerified DomainState = "verified"
	DomainFailing  DomainState = "failing"
	DomainLost     DomainState = "lost"
)

// State is where the domain stands.
func (d Domain) State() DomainState {
	switch {
	case d.VerifiedAt == nil && d.LostAt != nil:
		return DomainLost
	case d.VerifiedAt == nil:
		return DomainPending
	case d.FailingSince != nil:
		return DomainFailing
	}
	return DomainVerified
}

// maxDomains is how many names one tenant may claim.
const maxDomains = 100

// RecordName is where the proof is looked up, and RecordValue what must be there. A name of its own and not the domain
// itself, because many services prove domains there and answers have a size.
func (d Domain) RecordName() string  { return "_gatehouse-challenge." + string(d.Domain) }
func (d Domain) RecordValue() string { return "gatehouse-verification=" + d.VerificationToken }

func newDomain(t id.Tenant, h Host, uses []Use, now time.Time) Domain {
	return Domain{ID: id.NewDomain(), Tenant: t, Domain: h, Uses: uses, VerificationToken: rand.Text(), CreatedAt: now}
}

// TXT looks up the TXT records of a name. A name without any is an empty answer and not an error.
type TXT interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// Domains is what a tenant does with its domains.
type Domains struct{ DomainsOptions }

// DomainsOptions configures NewDomains.
type DomainsOptions struct {
	DB       *DB
	Repeat   *Repeat
	Outbox   *Outbox
	DNS      TXT
	Platform []Host // nobody may claim these or a name below: the shared host, and the suffix of given domains
	// Unproved is a domain below which names are taken as proved when asked: "localhost" in development, where no DNS
	// could say more (RFC 6761 section 6.3 keeps it on the machine). Never set it elsewhere.
	Unproved Host
	Grace    time.Duration // how long the proof of a domain may be missing; DefaultGrace if zero
	Now      func() time.Time
}

// NewDomains makes a Domains.
func NewDomains(o DomainsOptions) *Domains {
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	return &Domains{o}
}

// Claim records that a tenant claims a name that ParseClaim takes. Errors: 400 for a name of the platform; 409 domain_taken where the tenant
// has claimed it before or another tenant has proved it; 409 too_many_domains.
func (s *Domains) Claim(ctx context.Context, t Tenant, op Operation, h Host, uses []Use, render func(Domain) any) (json.RawMessage, error) {
	told := s.Outbox.bundle()
	body, err := s.Repeat.createInDirectory(ctx, t, op, func(context.Context) (any, func(context.Context, directoryTx) error, error) {
		if s.platforms(h, uses) {
			return nil, nil, problem.Field("domain", "belongs to the platform")
		}
		d := newDomain(t.ID, h, uses, s.Now().UTC().Truncate(time.Microsecond))
		return render(d), func(ctx context.Context, tx directoryTx) error {
			if err := mayClaim(ctx, tx, d); err != nil {
				return err
			}
			err := insertDomain(ctx, tx, d)
			if Violates(err, "domains_tenant_id_domain_key") {
				return domainTaken()
			}
			if err != nil {
				return err
			}
			return told.put(ctx, tx, t.ID, d.event("domain.added", op.Actor, d.CreatedAt).With("uses", uses))
		}, nil
	})
	if err == nil {
		told.deliver(ctx)
	}
	return body, err
}

// event is something that happened to the domain.
func (d Domain) event(a Action, by Actor, at time.Time) Event {
	return Event{Action: a, Actor: by, ResourceType: "domain", ResourceID: d.ID.String(), At: at}.With("domain", d.Domain)
}

// Outcome of an attempt to prove a domain.
type Outcome struct {
	Verified bool
	Message  string
}

// Verify looks for the proof in DNS and, if it is there, gives the domain its effect. A missing proof is an outcome and
// not an error. Errors: ErrUnknown; 409 domain_taken where another tenant was first.
func (s *Domains) Verify(ctx context.Context, by Admitted, domain id.Domain) (Outcome, error) {
	var d Domain
	t := by.Tenant
	err := s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) (err error) {
		d, err = domainByID(ctx, tx, t.ID, domain)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	switch {
	case d.FailingSince != nil:
		return s.verifyAgain(ctx, d)
	case d.VerifiedAt != nil:
		return Outcome{true, isVerified}, nil
	}
	if seen := s.look(ctx, d); seen != found {
		return Outcome{false, seen.sentence(d)}, nil
	}
	err = s.change(ctx, t.ID, by.Actor, func(ctx context.Context, tx directoryTx, told *entries) error {
		now := s.Now()
		first, err := setVerified(ctx, tx, d, now, spread(now, checkEvery))
		if err != nil || !first {
			return err
		}
		return told.put(ctx, tx, t.ID, d.event("domain.verified", by.Actor, now))
	})
	// The race: two tenants publish their proofs and verify at the same moment. The index lets one of them through.
	if Violates(err, "domains_one_holder") {
		return Outcome{}, domainTaken()
	}
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{true, isVerified}, nil
}

const isVerified = "The domain is verified."

// verifyAgain looks now for a proof that was missing, for somebody who has put it back.
func (s *Domains) verifyAgain(ctx context.Context, d Domain) (o Outcome, err error) {
	var l leased
	err = s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		l, err = leaseCheck(ctx, tx, d, s.Now().Add(checkLease))
		return err
	})
	if err != nil {
		return o, err
	}
	seen := s.look(ctx, l.Domain)
	if err := s.note(ctx, l, seen); err != nil {
		return o, err
	}
	err = s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		d, err = domainByID(ctx, tx, d.Tenant, d.ID)
		return err
	})
	switch d.State() {
	case DomainVerified:
		return Outcome{true, isVerified}, err
	case DomainFailing:
		return Outcome{true, seen.sentence(d) + " The domain stays verified until " + d.until(s.Grace) + "."}, err
	default:
		return Outcome{false, seen.sentence(d)}, err
	}
}

// until is when a failing domain is lost, for people.
func (d Domain) until(grace time.Duration) string {
	return d.FailingSince.Add(grace).UTC().Format("2006-01-02 15:04 UTC")
}

// NewHosts remembers each tenant's proved hosts, the one proved longest first.
func NewHosts(db *DB) *PerTenant[[]Host] {
	return NewPerTenant(func(ctx context.Context, t Tenant) (all []Host, err error) {
		err = db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
			all, err = provedHosts(ctx, tx, t.ID)
			return err
		})
		return all, err
	})
}

// List is a page of a tenant's domains, in the order they were claimed.
func (s *Domains) List(ctx context.Context, t Tenant, after id.Domain, limit int) (all []Domain, err error) {
	err = s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		all, err = listDomains(ctx, tx, t.ID, after, limit)
		return err
	})
	return all, err
}

// Remove gives a name up. If it was the primary domain, the oldest other proved host takes its place. Errors:
// ErrUnknown.
func (s *Domains) Remove(ctx context.Context, by Admitted, domain id.Domain) error {
	return s.change(ctx, by.Tenant.ID, by.Actor, func(ctx context.Context, tx directoryTx, told *entries) error {
		d, err := deleteDomain(ctx, tx, by.Tenant.ID, domain)
		if err != nil {
			return err
		}
		return told.put(ctx, tx, by.Tenant.ID, d.event("domain.removed", by.Actor, s.Now()))
	})
}

func domainTaken() error {
	return problem.New(problem.KindConflict, "domain_taken", "This domain is taken.")
}
