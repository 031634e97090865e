package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Provisioner makes tenants. A tenant is made in four steps, each of which may be repeated by anyone:
//
//  1. reserve   one transaction in the directory: the record (state provisioning), its place, its slug, its first domain
//  2. keys      signing and sealing key in custody
//  3. schema    one transaction in the tenant's database: role, schema, tables, public keys, what identity furnishes
//  4. activate  one statement in the directory; only now does anybody else see the tenant
//
// A crash leaves a record in state provisioning and everything needed to go on is in it, so any replica's
// [Provisioner.FinishAll] completes it. Replicas that race meet an advisory lock in step 3 and a guard in step 4.
type Provisioner struct {
	ProvisionerOptions
}

// ProvisionerOptions configures NewProvisioner.
type ProvisionerOptions struct {
	Control      ProvisioningDB       // holds the directory
	Placements   map[string]Placement // the databases tenants can be put into, by name
	Serving      *DB                  // if set: what it has put aside gets no tenants
	Ready        int                  // blank schemas kept in each of them, see KeepReady
	Home         string               // the name of the one that holds the directory
	Region       string
	Keys         custody.Keymaster
	Furnisher    Furnisher
	Outbox       *Outbox // to the audit logs
	Receipts     *Receipts
	Reserved     []Host // hosts of the platform, which no tenant is given
	DomainSuffix Host   // if set, each new tenant is given {slug}.{suffix} as its proved primary domain
	Now          func() time.Time
	Log          *slog.Logger

	// straggling stands for the constant of that name, if set; tests have no reason to wait.
	straggling time.Duration
	// afterStep is called after each step of making, moving and deleting a tenant; tests crash there.
	afterStep func(step string) error
}

// Furnisher says what a new tenant begins with. Identity satisfies it: tenancy knows no users and no keys.
type Furnisher interface {
	// Plan makes the blueprint, which is stored until the tenant is usable and holds no secret, and the secret of the
	// tenant's first administrator key.
	Plan(t Tenant) (p Plan, err error)
	// Furnish carries a blueprint out. It may run more than once.
	Furnish(ctx context.Context, tx Tx, blueprint string) error
}

// Plan is what a Furnisher has in mind for a new tenant.
type Plan struct {
	Blueprint string
	AdminKey  string
	OwnerID   id.User // zero without an owner
}

// NewProvisioner makes a Provisioner.
func NewProvisioner(o ProvisionerOptions) *Provisioner { return &Provisioner{o} }

var (
	errNoKeys      = errors.New("tenancy: the keys of the new tenant could not be made")
	errDomainTaken = errors.New("tenancy: the given domain was taken meanwhile")
	errNotFirst    = errors.New("tenancy: another call with this Idempotency-Key was first")
)

// Created is a tenant and the key that administers it, shown once.
type Created struct {
	Tenant   Tenant
	AdminKey string
}

// Create makes a tenant and returns when it is usable. Wanted: Slug, Name, Locale, SigningAlgorithm, and if there is to
// be an owner OwnerEmail and OwnerName; Database may name a placement. Errors: 409 slug_taken, 400 for a placement that
// is not configured, 503 while a dependency is down, 503 capacity_exhausted where there is no room.
func (p *Provisioner) Create(ctx context.Context, wanted Tenant) (Created, error) {
	return p.create(ctx, Actor{Type: ByOperator}, wanted, unfiled)
}

// unfiled keeps no answer.
func unfiled(Created) (*filed, error) { return nil, nil }

// create files an answer together with the reservation, if file makes one.
func (p *Provisioner) create(ctx context.Context, by Actor, wanted Tenant, file func(Created) (*filed, error)) (Created, error) {
	c, blueprint, err := p.plan(wanted)
	if err != nil {
		return Created{}, err
	}
	if err := p.Keys.Ready(ctx); err != nil {
		return Created{}, KeysError(err)
	}
	answer, err := p.reserveWithDomain(ctx, by, &c, blueprint, file)
	if err != nil {
		return Created{}, err
	}
	err = p.complete(ctx, c.Tenant, blueprint)
	if errors.Is(err, errNoKeys) && answer == nil {
		// Nobody holds an Idempotency-Key with which to repeat this call, and there is no schema yet, so the slug is
		// given back. FinishAll leaves young records alone, so it is not working on this one.
		p.abandon(context.WithoutCancel(ctx), c.Tenant)
	}
	return c, err
}

// reserveWithDomain reserves the tenant with its given domain, or without where somebody holds that name. The answer
// is sealed before anything is written, because custody may not be asked inside a transaction, so it has to foresee
// which; if the name is taken in between, it is made again.
func (p *Provisioner) reserveWithDomain(ctx context.Context, by Actor, c *Created, blueprint string, file func(Created) (*filed, error)) (*filed, error) {
	for {
		var err error
		if c.Tenant.PrimaryDomain, err = p.freeDomain(ctx, c.Tenant.Slug); err != nil {
			return nil, err
		}
		answer, err := file(*c)
		if err != nil {
			return nil, err
		}
		database, err := p.reserve(ctx, by, c.Tenant, blueprint, answer)
		if err == nil {
			c.Tenant.Database = database
		}
		if !errors.Is(err, errDomainTaken) {
			return answer, err
		}
	}
}

func (p *Provisioner) plan(wanted Tenant) (Created, string, error) {
	if bad := p.misplaced(wanted.Database, wanted.Region); len(bad) > 0 {
		return Created{}, "", problem.Fields(bad)
	}
	t := wanted
	t.ID, t.State = id.NewTenant(), Active
	t.CreatedAt = p.Now().UTC().Truncate(time.Microsecond) // what Postgres keeps
	t.UpdatedAt = t.CreatedAt
	t.Region = cmp.Or(t.Region, p.Region)
	t.SigningAlgorithm = cmp.Or(t.SigningAlgorithm, custody.Default)
	t.SchemaVersion = migrations.LatestTenant
	plan, err := p.Furnisher.Plan(t)
	if err != nil {
		return Created{}, "", err
	}
	t.OwnerID = plan.OwnerID
	return Created{t, plan.AdminKey}, plan.Blueprint, nil
}

// misplaced says what is wrong with where a tenant is wanted; a place not named will be found.
func (p *Provisioner) misplaced(database, region string) map[string]string {
	bad := map[string]string{}
	if _, ok := p.Placements[database]; !ok && database != "" {
		bad["database"] = fmt.Sprintf("%q is not one of the databases here: %s", database, strings.Join(slices.Sorted(maps.Keys(p.Placements)), ", "))
	}
	if cmp.Or(region, p.Region) != p.Region {
		bad["region"] = "is not the region of this installation"
	}
	return bad
}

// complete takes a reserved tenant through the other steps.
func (p *Provisioner) complete(ctx context.Context, t Tenant, blueprint string) error {
	// The client may leave, or its deadline pass; a tenant half made helps nobody.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := p.step("reserve"); err != nil {
		return err
	}
	public, err := p.makeKeys(ctx, t)
	if err != nil {
		return KeysError(fmt.Errorf("%w: %w", errNoKeys, err))
	}
	if err := p.step("keys"); err != nil {
		return err
	}
	version, err := p.build(ctx, t, public, blueprint)
	if err != nil {
		return err
	}
	if err := p.step("schema"); err != nil {
		return err
	}
	first, err := p.activate(ctx, t, version)
	if err != nil {
		return err
	}
	if !first {
		return p.takeBack(ctx, t)
	}
	p.Outbox.deliverAbout(ctx, t.ID)
	return nil
}

func (p *Provisioner) makeKeys(ctx context.Context, t Tenant) ([]custody.PublicKey, error) {
	if err := p.Keys.Create(ctx, t.ID, t.SigningAlgorithm); err != nil {
		return nil, err
	}
	return p.Keys.PublicKeys(ctx, t.ID)
}

func (p *Provisioner) step(name string) error {
	if p.afterStep == nil {
		return nil
	}
	return p.afterStep(name)
}

// build makes role, schema and contents in one transaction and says at which version the schema is. A schema that is there is
// therefore complete, and is left alone: a finisher that comes late may find a tenant in use, and would give its
// administrators back the first key that they have revoked meanwhile. It may also be a replica of another version that made it.
func (p *Provisioner) build(ctx context.Context, t Tenant, public []custody.PublicKey, blueprint string) (version int, err error) {
	place, ok := p.Placements[t.Database]
	if !ok {
		return 0, fmt.Errorf("tenancy: database %q is not configured here", t.Database)
	}
	err = place.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		made, err := makeSchema(ctx, c, namespace(t.ID), place.runtimeRole)
		if err != nil {
			return err
		}
		if version, err = schemaVersion(ctx, c, namespace(t.ID)); err != nil || !made {
			return err
		}
		tx := Tx{&conn{Conn: c.Conn}, t}
		for i, k := range public {
			jwk, err := k.JWK()
			if err != nil {
				return err
			}
			stored := SigningKeyRecord{KID: k.KeyID(), Version: k.Version, Algorithm: k.Algorithm, JWK: string(jwk), State: KeyRetired, CreatedAt: t.CreatedAt}
			if i == len(public)-1 {
				stored.State = KeyActive
			}
			if _, err := addSigningKey(ctx, tx, stored); err != nil {
				return err
			}
		}
		return p.Furnisher.Furnish(ctx, tx, blueprint)
	})
	return version, err
}

// Abandoned is the age from which a record in state provisioning cannot belong to a call that is still running.
const Abandoned = time.Minute

// FinishAll completes tenants that a crashed replica left half made, if their records are older than age.
func (p *Provisioner) FinishAll(ctx context.Context, age time.Duration) error {
	unfinished, err := p.unfinished(ctx, p.Now().Add(-age))
	if err != nil {
		return err
	}
	var failed []error
	passed := absences{}
	for _, u := range unfinished {
		if ctx.Err() != nil {
			break // we are being shut down; whoever comes next goes on
		}
		if passed.over(ctx, p, u.tenant.Database) {
			continue
		}
		// The ones before took their time, and somebody else may have been faster.
		if _, err := p.unfinishedByID(ctx, u.tenant.ID); errors.Is(err, ErrUnknown) {
			continue
		}
		if err := p.complete(ctx, u.tenant, u.blueprint); err != nil {
			failed = append(failed, err)
			continue
		}
		p.Log.LogAttrs(ctx, slog.LevelInfo, "provisioning: finished a tenant that was left half made", slog.String("tenant", u.tenant.ID.String()))
	}
	return passed.with(failed)
}

// abandon takes a reservation back.
func (p *Provisioner) abandon(ctx context.Context, t Tenant) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := errors.Join(p.unreserve(ctx, t.ID), p.Keys.Destroy(ctx, t.ID)); err != nil {
		p.Log.LogAttrs(ctx, slog.LevelWarn, "provisioning: could not take a reservation back; it will be finished instead",
			slog.String("tenant", t.ID.String()), slog.Any("error", err))
	}
}
