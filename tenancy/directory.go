package tenancy

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// ErrUnknown means that the directory holds no such tenant, or the tenant no such thing. It is a [problem.Error]: whoever does not
// look for it tells a client 404 not_found.
var ErrUnknown error = problem.NotFound().With(errors.New("tenancy: no such tenant"))

// Directory finds tenants by what a request says of them. It answers from memory; a miss costs one query, and a
// change made anywhere is known here through LISTEN/NOTIFY within milliseconds (see [Directory.Listen]).
//
// The race it must not lose: a lookup reads the database, a change commits and is announced, and only then the lookup
// stores what it read. So every announcement raises the generation, and a lookup that began in an older generation is
// answered but not stored. Names that led nowhere are remembered only for the generation they were looked up in, in a
// table of bounded size, so a spray of random hosts neither costs a query each nor fills the memory.
type Directory struct {
	db     *DB
	now    func() time.Time
	names  *lru.Cache[name, *record]
	lives  *lru.Cache[id.Tenant, *life]
	deaf   atomic.Bool             // no announcements arrive: trust nothing older than deafTrust
	silent map[string]*atomic.Bool // likewise, for the tenants of each other database
	flight singleflight.Group

	// mu makes "compare the generation, then store" and "raise the generation, then drop" exclude each other.
	mu         sync.Mutex
	generation atomic.Int64
	nowhere    *lru.Cache[name, int64] // the generation in which the name led nowhere
	lifetimes  int64
}

// DirectoryOptions configures NewDirectory.
type DirectoryOptions struct {
	DB      *DB
	Tenants int              // how many tenants to remember; 20,000 if zero, at about 1 KB each
	Nowhere int              // how many unknown names to remember; 20,000 if zero
	Now     func() time.Time // time.Now if nil
}

// deafTrust is how long a record is used while no announcements arrive.
const deafTrust = 2 * time.Second

type record struct {
	tenant Tenant
	read   time.Time
	life   *life
}

// life is shared by all records of one tenant, under whichever name they were found, and ends them all at once.
type life struct {
	stamp  int64
	over   atomic.Bool
	newest *record // under the directory's mutex: tenants have several names, and one record does for all
}

// name is one way to say a tenant. The kind keeps a slug from being found as a host.
type name struct{ kind, value string }

// NewDirectory makes a directory that hears nothing yet: run Listen beside it.
func NewDirectory(o DirectoryOptions) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Directory{db: o.DB, now: o.Now}
	d.deaf.Store(true)
	d.silent = map[string]*atomic.Bool{}
	for database, pool := range o.DB.pools {
		if pool != o.DB.control {
			d.silent[database] = &atomic.Bool{}
			d.silent[database].Store(true)
		}
	}
	tenants := cmp.Or(o.Tenants, 20_000)
	d.names = newLRU[name, *record](2*tenants, nil)
	// A life that is evicted could no longer be ended, so eviction ends it.
	d.lives = newLRU(tenants, func(_ id.Tenant, l *life) { l.over.Store(true) })
	d.nowhere = newLRU[name, int64](cmp.Or(o.Nowhere, 20_000), nil)
	return d
}

func newLRU[K comparable, V any](size int, evicted func(K, V)) *lru.Cache[K, V] {
	c, err := lru.NewWithEvict(size, evicted)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return c
}

// ByHost finds the tenant that has proved the host for use as a host.
func (d *Directory) ByHost(ctx context.Context, h Host) (Tenant, error) {
	return d.byName(ctx, name{"host", string(h)}, func(ctx context.Context, tx directoryTx) (Tenant, error) {
		return tenantByDomain(ctx, tx, h, UseHost)
	})
}

// ByEmailDomain finds the tenant that has proved the domain for its people's addresses.
func (d *Directory) ByEmailDomain(ctx context.Context, h Host) (Tenant, error) {
	return d.byName(ctx, name{"email", string(h)}, func(ctx context.Context, tx directoryTx) (Tenant, error) {
		return tenantByDomain(ctx, tx, h, UseEmail)
	})
}

// BySlug finds a tenant by its slug.
func (d *Directory) BySlug(ctx context.Context, s Slug) (Tenant, error) {
	return d.byName(ctx, name{"slug", string(s)}, func(ctx context.Context, tx directoryTx) (Tenant, error) {
		return tenantBySlug(ctx, tx, s)
	})
}

// ByFormerSlug finds the tenant whose issuer a slug was until so short a time ago that a token that names it may be alive.
func (d *Directory) ByFormerSlug(ctx context.Context, s Slug) (Tenant, error) {
	t, err := d.byName(ctx, name{"former slug", string(s)}, func(ctx context.Context, tx directoryTx) (Tenant, error) {
		return tenantByFormerSlug(ctx, tx, s)
	})
	if err == nil && !t.wasIssuer(s, d.now()) {
		err = ErrUnknown
	}
	return t, err
}

// ByID finds a tenant by its id.
func (d *Directory) ByID(ctx context.Context, t id.Tenant) (Tenant, error) {
	return d.byName(ctx, name{"id", t.String()}, func(ctx context.Context, tx directoryTx) (Tenant, error) {
		return tenantByID(ctx, tx, t)
	})
}

// Platform is the platform tenant, as the database has it now.
func (d *Directory) Platform(ctx context.Context) (found Tenant, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		found, err = platformTenant(ctx, tx)
		return err
	})
	return found, err
}

// Read is a tenant as the database has it now, for those who just changed it and for administration: one that is to be deleted
// is found too.
func (d *Directory) Read(ctx context.Context, t id.Tenant) (found Tenant, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		found, err = knownTenant(ctx, tx, t)
		return err
	})
	return found, err
}

// List is a page of all tenants, those that are to be deleted too, in the order they were made; after is the id of the last one of the page before.
func (d *Directory) List(ctx context.Context, after id.Tenant, limit int) (all []Tenant, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		all, err = listTenants(ctx, tx, after, limit)
		return err
	})
	return all, err
}

// Forget drops what is known of a tenant, and every memory of names that led nowhere.
func (d *Directory) Forget(t id.Tenant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generation.Add(1)
	d.lives.Remove(t)
}

func (d *Directory) forgetAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generation.Add(1)
	d.lives.Purge()
}

func (d *Directory) fresh(r *record) bool {
	return !r.life.over.Load() && (!d.deafTo(r.tenant) || d.now().Sub(r.read) < deafTrust)
}

// deafTo reports whether a change of the tenant could go unheard: what is in its own schema is announced in its own database.
func (d *Directory) deafTo(t Tenant) bool {
	silent := d.silent[t.Database]
	return d.deaf.Load() || silent != nil && silent.Load()
}

func (d *Directory) byName(ctx context.Context, n name, load func(context.Context, directoryTx) (Tenant, error)) (Tenant, error) {
	if r, ok := d.names.Get(n); ok && d.fresh(r) {
		return r.tenant, nil
	}
	if g, ok := d.nowhere.Get(n); ok && g == d.generation.Load() && !d.deaf.Load() {
		return Tenant{}, ErrUnknown
	}
	// One query for all who ask the same at the same time. It must not die with the one who happened to be first. Who
	// asks after an announcement must not join a query that began before it.
	flight := n.kind + " " + n.value + " " + strconv.FormatInt(d.generation.Load(), 10)
	v, err, _ := d.flight.Do(flight, func() (any, error) { return d.load(context.WithoutCancel(ctx), n, load) })
	if err != nil {
		return Tenant{}, err
	}
	return v.(Tenant), nil
}

func (d *Directory) load(ctx context.Context, n name, load func(context.Context, directoryTx) (Tenant, error)) (Tenant, error) {
	began := d.generation.Load()
	var t Tenant
	err := d.db.miss(ctx, func(ctx context.Context, tx directoryTx) (err error) {
		t, err = load(ctx, tx)
		return err
	})
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Tenant{}, err
	}
	// The name is a part of the request's line, and what is kept would keep all of that line.
	n.value = strings.Clone(n.value)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.generation.Load() != began: // announced while we read: what we hold may be the old state
	case err != nil:
		d.nowhere.Add(n, began)
	default:
		l, ok := d.lives.Get(t.ID)
		if !ok {
			d.lifetimes++
			l = &life{stamp: d.lifetimes}
			d.lives.Add(t.ID, l)
		}
		deaf := d.deafTo(t)
		if !deaf { // else nobody would tell us when what is remembered for the stamp is over
			t.stamp = l.stamp
		}
		// While we are deaf a record is good for a time from when it was read, so it is a new one each time.
		if deaf || l.newest == nil || !reflect.DeepEqual(l.newest.tenant, t) {
			l.newest = &record{tenant: lean(t), read: d.now(), life: l}
		}
		d.names.Add(n, l.newest)
	}
	return t, err
}

// lean is a tenant of whose words those that many tenants have are in memory once.
func lean(t Tenant) Tenant {
	t.Locale, t.Region, t.Database = unique.Make(t.Locale).Value(), unique.Make(t.Region).Value(), unique.Make(t.Database).Value()
	t.State, t.SigningAlgorithm = unique.Make(t.State).Value(), unique.Make(t.SigningAlgorithm).Value()
	return t
}
