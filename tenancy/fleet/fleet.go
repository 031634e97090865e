// Package fleet brings the schemas of all tenants to a newer version, while they are used.
//
// Who is behind is one query of the directory. Each of those is migrated in one transaction of its own, so a run that is
// killed leaves every tenant either where it was or where it was to be, and the next run takes up the rest:
//
//	directory --> behind --> canaries --> the others --> those that failed before
//	                             |            |                |
//	                      any failure:   too many:         each is tried
//	                        the run         the run
//	                         stops           stops
//
//	one tenant:  lock, read its own version, apply the files it lacks, write the version, commit; then the directory's record
//
// The tenant's own schema_migrations says where its schema stands, the directory only remembers it: a record may be behind
// its schema, never before it. Several runs share the work by the lock, which each tenant has one of: what another run
// holds is left to it and looked at again later.
//
// Traps known here: a change of a table waits for whoever reads it, and everybody who comes after waits for the change. So a
// change waits for half a second only (less than Postgres takes to look for deadlocks, so it is never a request that
// gives way), and then the tenant is tried again later. And the version has to be read by a statement that begins after
// the lock was taken, for an earlier one still sees the schema before the other run's commit.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Options say what a run is to do. Of the bounds, zero is the default.
type Options struct {
	Directory string            // URL of the provisioning role in the database that holds the directory
	Databases map[string]string // URLs of that role in the databases that tenants live in, by name
	Away      []string          // those of them whose tenants are left out
	Set       migrations.Set    // of a tenant's schema
	Only      tenancy.Slug      // if set, no other tenant; its schema is looked at whatever its record says

	Workers          int           // tenants at a time, over all databases; default 4
	Canary           float64       // the share that goes first, 0.01 for 1 %; at least one tenant and at most 50, 0 is none
	Halt             float64       // the share of tenants that may fail; beyond it the run stops, once five have failed
	LockTimeout      time.Duration // of a change that waits for a table; default 500 ms
	StatementTimeout time.Duration // of one file; default 30 s

	Watch func(Progress) // if set, told of each tenant, one after the other
}

// Progress is how far a run is.
type Progress struct{ Done, Of int }

// Report is what a run did.
type Report struct {
	Version  int       // that tenants were to reach
	Migrated int       // tenants that this run brought there
	Found    int       // tenants that were there already, though their record was behind
	Failed   []Failure // in the order in which they were given up
	Left     int       // tenants that were not tried any more
	Away     int       // tenants that are behind, in databases that are away
}

// Failure is a tenant that did not reach the version, and stands where it stood.
type Failure struct {
	Tenant   id.Tenant    `json:"id"`
	Slug     tenancy.Slug `json:"slug"`
	Database string       `json:"database"`
	Version  int          `json:"version"` // where its schema stands
	State    string       `json:"state"`   // failed or dirty
	Error    string       `json:"error"`
	At       time.Time    `json:"attempted_at"` // zero in a Report
}

// StoppedError is a run that stopped before all tenants were tried.
type StoppedError struct {
	Canary        bool // among the canaries, of which none may fail
	Failed, Tried int
}

// Error is a sentence for the operator.
func (e *StoppedError) Error() string {
	if e.Canary {
		return fmt.Sprintf("stopped: of the %d tenants that went first, %d failed", e.Tried, e.Failed)
	}
	return fmt.Sprintf("stopped: of %d tenants, %d failed", e.Tried, e.Failed)
}

// ErrNoTenant is Options.Only naming nobody.
var ErrNoTenant = errors.New("there is no such tenant")

const (
	mostCanaries = 50
	haltFrom     = 5 // failures: of two tenants, one is not yet a rate
)

// Migrate makes a run. That single tenants failed is in the report; an error is a run that did not go through all of them: a
// *[StoppedError], or a directory that cannot be read or written.
func Migrate(ctx context.Context, o Options) (Report, error) {
	r, err := open(ctx, o)
	if err != nil {
		return Report{}, err
	}
	err = r.all(ctx)
	if unrecorded := r.close(); unrecorded != nil {
		err = unrecorded // which is why the run ended, too
	}
	return r.report, err
}

// all makes passes until one finds nobody new: while a run goes on, replicas of the version before go on making tenants.
func (r *run) all(ctx context.Context) error {
	ctx = r.recorder.guard(ctx)
	for pass := 0; ; pass++ {
		members, err := r.behind(ctx)
		if err != nil {
			return err
		}
		fresh, again := r.unseen(members)
		if len(fresh)+len(again) == 0 {
			return nil
		}
		canaries := 0
		if pass == 0 && r.Only == "" {
			canaries = canariesOf(len(fresh), r.Canary)
		}
		if err := r.phases(ctx, fresh[:canaries], fresh[canaries:], again); err != nil {
			return err
		}
	}
}

// phases go through the canaries, the others, and those that failed before. Whoever failed before is no canary, and stops
// nobody: one tenant that needs a person's hand must not keep the fleet back in every run.
func (r *run) phases(ctx context.Context, canaries, fresh, again []member) error {
	rand.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] }) //nolint:gosec // it only spreads runs that begin together
	r.progress.Of += len(canaries) + len(fresh) + len(again)
	for _, phase := range []struct {
		members  []member
		canaries bool
		limit    func(failed, tried int) bool
	}{
		{canaries, true, func(failed, _ int) bool { return failed > 0 }},
		{fresh, false, func(failed, tried int) bool { return failed >= haltFrom && float64(failed) > r.Halt*float64(tried) }},
		{again, false, func(int, int) bool { return false }},
	} {
		tally, err := r.phase(ctx, phase.members, phase.limit)
		if err != nil {
			return err
		}
		if tally.stopped {
			r.report.Left = r.progress.Of - r.progress.Done
			return &StoppedError{Canary: phase.canaries, Failed: tally.failed, Tried: tally.tried}
		}
	}
	return nil
}

// canariesOf is how many of n tenants go first.
func canariesOf(n int, share float64) int {
	if share <= 0 {
		return 0
	}
	whole := int(share * float64(n))
	if float64(whole) < share*float64(n) {
		whole++
	}
	return min(n, mostCanaries, max(1, whole))
}

// unseen are the members that no earlier pass had, those that failed before apart.
func (r *run) unseen(members []member) (fresh, again []member) {
	for _, m := range members {
		switch {
		case r.seen[m.id]:
			continue
		case slices.Contains(r.Away, m.database):
			r.report.Away++
		case m.failed:
			again = append(again, m)
		default:
			fresh = append(fresh, m)
		}
		r.seen[m.id] = true
	}
	return fresh, again
}
