package tenancy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// A tenant comes in by four steps, like one that is made (see Provisioner):
//
//  1. reserve   one transaction in the directory: the record, in state provisioning and made at a time that never comes, so that
//     nobody who finishes what was left half made takes it for a tenant to be furnished
//  2. keys      a new signing key, and a sealing key where custody has none; what was opened is sealed anew
//  3. schema    one transaction in the tenant's database: role, schema, all rows, and the name of the bundle
//  4. activate  one transaction in the directory; only now does anybody see the tenant
//
// Whoever was interrupted says the same again: each step finds what is there. A bundle is read twice, to its end and then to be
// used, so nothing is written of one that is not whole.

// ImportOptions say how a bundle is to be taken in.
type ImportOptions struct {
	Database string // the configured database; empty: the one with most room
	KID      string // if set, the key that must have signed the bundle
	// LoseKeys agrees to what is lost where custody here is another than the one the tenant comes from: its people choose passwords
	// anew by mail and sign in again, and backup codes are made anew.
	LoseKeys bool
	// KeepKeys says that custody here has the tenant's keys, and that the installation it comes from is gone: deleting the tenant
	// there would destroy the keys of this one.
	KeepKeys bool
	// Suspended has it come in suspended.
	Suspended bool
}

// Imported is what came in.
type Imported struct {
	bundle.Manifest

	KID      string
	Database string
	Issuer   string
	Rows     int64
	Lost     map[string]int64 // by what; nil where custody has the tenant's keys
}

// Refusals of an import, before anything is written.
var (
	ErrOtherSigner = errors.New("is not signed by the key that you named")
	ErrOtherKeys   = errors.New("comes from other keys than there are here")
	ErrSameKeys    = errors.New("comes from the keys that are here")
	ErrHere        = errors.New("holds a tenant whose id is taken here")
)

// Import takes a tenant in. read opens the bundle, unsealed; it is called twice. Errors: those of OpenBundle; ErrOtherSigner, ErrOtherKeys,
// ErrSameKeys, ErrHere; ErrDiscarded where it is taken back meanwhile; 409 slug_taken; 503 capacity_exhausted; 503.
func (b *Bundles) Import(ctx context.Context, by Actor, read func() (io.ReadCloser, error), o ImportOptions) (Imported, error) {
	from, err := OpenBundle(read)
	if err != nil {
		return Imported{}, err
	}
	t, err := b.arriving(from, o)
	if err != nil {
		return Imported{}, err
	}
	if err := b.vacant(ctx, t); err != nil { // said before anything is asked about keys
		return Imported{}, err
	}
	same, err := b.sameKeys(ctx, from.Manifest)
	switch {
	case err != nil:
		return Imported{}, err
	case same && !o.KeepKeys:
		return Imported{}, ErrSameKeys
	case !same && !o.LoseKeys:
		return Imported{}, ErrOtherKeys
	}
	in := arrival{Bundles: b, by: by, from: from, read: read, tenant: t, same: same}
	report, err := in.carry(ctx)
	if err != nil && in.begun {
		if taken := in.wanted(ctx); errors.Is(taken, ErrDiscarded) {
			err = taken // whatever it ran into for that
		}
	}
	return report, err
}

// arriving is the tenant that a manifest speaks of, as one that is made here. Nothing in a manifest is believed for its form.
func (b *Bundles) arriving(from Opened, o ImportOptions) (t Tenant, err error) {
	if o.KID != "" && from.KID != o.KID {
		return t, ErrOtherSigner
	}
	if from.SchemaVersion != migrations.LatestTenant {
		return t, fmt.Errorf("holds a schema of version %d, and this release has version %d: export it from an installation of this release", from.SchemaVersion, migrations.LatestTenant)
	}
	p, m := b.Provisioner, from.Tenant
	t = Tenant{ID: m.ID, State: arrivesAs(o), Region: p.Region, Database: o.Database, SigningAlgorithm: custody.Algorithm(m.SigningAlgorithm),
		OwnerEmail: m.OwnerEmail, OwnerName: m.OwnerName, OwnerID: m.OwnerID, SchemaVersion: from.SchemaVersion,
		CreatedAt: microseconds(m.CreatedAt), UpdatedAt: microseconds(p.Now())}
	bad := p.misplaced(o.Database, p.Region)
	if t.Slug, err = ParseNewSlug(m.Slug); err != nil {
		bad["slug"] = err.Error()
	}
	if t.Name, err = ParseName(m.Name); err != nil {
		bad["name"] = err.Error()
	}
	if t.Locale, err = ParseLocale(m.Locale); err != nil {
		bad["locale"] = err.Error()
	}
	if !t.SigningAlgorithm.Valid() || t.ID.IsZero() {
		bad["tenant"] = "is none"
	}
	if len(bad) > 0 {
		return t, problem.Fields(bad)
	}
	return t, nil
}

func arrivesAs(o ImportOptions) State {
	if o.Suspended {
		return Suspended
	}
	return Active
}

// sameKeys reports whether custody here has the keys that the tenant comes from.
func (b *Bundles) sameKeys(ctx context.Context, m bundle.Manifest) (bool, error) {
	if err := b.Provisioner.Keys.Ready(ctx); err != nil {
		return false, KeysError(err)
	}
	mac, err := b.custodyProof(ctx, m.Tenant.ID, m.ID)
	if errors.Is(err, custody.ErrNoKey) {
		return false, nil
	}
	return err == nil && string(mac) == string(m.Custody), KeysError(err)
}

// arrival is one call of Import.
type arrival struct {
	*Bundles
	by     Actor
	from   Opened
	read   func() (io.ReadCloser, error)
	tenant Tenant
	same   bool // custody has the tenant's keys
	begun  bool // there is a record of it

	key    custody.PublicKey
	sealed map[string]map[string]string // what was opened, sealed anew, by part and row
	report Imported
}

func (a *arrival) carry(ctx context.Context) (Imported, error) {
	p := a.Provisioner
	if err := a.reserve(ctx); err != nil {
		return a.report, err
	}
	a.begun = true
	if err := p.step("reserve"); err != nil {
		return a.report, err
	}
	if err := a.makeKeys(ctx); err != nil {
		return a.report, KeysError(err)
	}
	if err := p.step("keys"); err != nil {
		return a.report, err
	}
	if err := a.sealAnew(ctx); err != nil {
		return a.report, KeysError(err)
	}
	if err := a.fill(ctx); err != nil {
		return a.report, err
	}
	if err := p.step("schema"); err != nil {
		return a.report, err
	}
	if err := a.activate(ctx); err != nil {
		return a.report, err
	}
	a.report.Manifest, a.report.KID, a.report.Database = a.from.Manifest, a.from.KID, a.tenant.Database
	a.report.Issuer = a.Address.Issuer(a.tenant)
	return a.report, nil
}

// makeKeys makes the key that signs here: the first there is or, where the old ones are here too, the one after those.
func (a *arrival) makeKeys(ctx context.Context) error {
	keys := a.Provisioner.Keys
	if !a.same {
		if err := keys.Create(ctx, a.tenant.ID, a.tenant.SigningAlgorithm); err != nil {
			return err
		}
		all, err := keys.PublicKeys(ctx, a.tenant.ID)
		if err == nil && len(all) == 0 {
			err = custody.ErrNoKey
		}
		if err == nil {
			a.key = all[len(all)-1]
		}
		return err
	}
	k := custody.SigningKey{Version: a.from.Newest + 1, Algorithm: a.tenant.SigningAlgorithm}
	for {
		made, err := keys.AddSigning(ctx, a.tenant.ID, k)
		if !errors.Is(err, custody.ErrOtherAlgorithm) {
			a.key = made
			return err
		}
		k.Version++
	}
}

// sealAnew seals what was opened with the keys that the tenant has here.
func (a *arrival) sealAnew(ctx context.Context) error {
	a.sealed = map[string]map[string]string{}
	for _, of := range a.Belongings {
		users, err := a.usersOf(of.Column())
		if err != nil {
			return err
		}
		var values []sealedValue
		for row, plain := range a.from.opened[of.Column().part()] {
			user, err := id.ParseUser(users[row])
			if err != nil {
				return bundle.ErrMalformed
			}
			values = append(values, sealedValue{row: uuid.MustParse(row), user: user, plain: plain})
		}
		if err := eachOf(ctx, values, func(ctx context.Context, v *sealedValue) (err error) {
			v.sealed, err = of.Seal(ctx, a.tenant, v.user, v.plain)
			return err
		}); err != nil {
			return err
		}
		sealed := map[string]string{}
		for _, v := range values {
			sealed[v.row.String()] = v.sealed
		}
		a.sealed[of.Column().part()] = sealed
	}
	return nil
}

// usersOf reads from the bundle whose the rows are that have an opened value.
func (a *arrival) usersOf(c SealedColumn) (map[string]string, error) {
	opened, users := a.from.opened[c.part()], map[string]string{}
	if len(opened) == 0 {
		return nil, nil
	}
	return users, a.again(func(h bundle.Header, rows io.Reader) error {
		if h.Name != c.Table {
			return nil
		}
		key, user := slices.Index(h.Columns, "id"), slices.Index(h.Columns, c.User)
		if key < 0 || user < 0 {
			return bundle.ErrMalformed
		}
		return bundle.Rewrite(io.Discard, rows, len(h.Columns), 1000, func(rows [][]string) error {
			for _, row := range rows {
				if _, ok := opened[row[key]]; !ok {
					continue
				}
				if _, err := uuid.Parse(row[key]); err != nil {
					return bundle.ErrMalformed
				}
				users[row[key]] = row[user]
			}
			return nil
		})
	})
}

// again reads the bundle once more, and holds that it is the one that was verified.
func (a *arrival) again(use func(bundle.Header, io.Reader) error) error {
	f, err := a.read()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	parts, _, err := bundle.Read(f, use)
	if err != nil {
		return err
	}
	return a.from.Check(parts)
}

// formerIssuer is what tokens name as the tenant's issuer that it brings along: a host of its own, or its place on the shared host there.
// The host is empty where it is nothing that a token could name here.
func (a *arrival) formerIssuer() (h Host, s Slug) {
	u, err := url.Parse(a.from.Issuer)
	if err != nil {
		return "", ""
	}
	if h, err = ParseHost(u.Hostname()); err != nil {
		return "", ""
	}
	slug, below := strings.CutPrefix(u.Path, "/t/")
	switch {
	case below && slug == string(a.tenant.Slug):
		return h, a.tenant.Slug
	case strings.Trim(u.Path, "/") != "" || h == a.tenant.PrimaryDomain:
		return "", ""
	}
	return h, ""
}

// mark is what a schema says of itself that a bundle has filled, and a record that is reserved for one.
func (a *arrival) mark() string { return "bundle " + a.from.ID.String() + " with " + a.keys() }

// newKeys ends the mark of an import whose keys nobody else has.
const newKeys = "new keys"

func (a *arrival) keys() string {
	if a.same {
		return "the keys it had"
	}
	return newKeys
}
