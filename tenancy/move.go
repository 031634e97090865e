package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/relocation"
)

// A tenant is moved to another database in eight steps:
//
//  1. reserve  one transaction in the directory: a row of tenant_moves, which counts in the target like a tenant
//  2. build    role and schema in the target
//  3. fence    the source refuses writes, each with 503 and Retry-After. The pause begins
//  4. copy     all rows, in one transaction there
//  5. close    the source refuses reads, too: from the switch on, what it would tell is what was
//  6. switch   one transaction in the directory: the tenant's record names the target. The pause ends
//  7. jobs     mails that wait are sent from the target
//  8. drop     what is left in the source is dropped, when nobody can be looking for it there any more
//
// Fence and close stand in the source itself, so they hold whatever a replica has heard: one that goes by an old record is
// refused by the database, and says 503.
//
// Whoever moves a tenant holds its lock in both databases, on the two connections that it works on. Who has lost one of them
// has lost the lock and can do nothing more there, and who gets both knows that the one before is dead. It then looks at the row:
// before the switch everything is put back as it was, after it the rest is done. Replicas look every few seconds, so a tenant
// whose mover was killed in the pause is written to again a moment later.
//
// Sessions, tokens and keys know nothing of databases: a client notices the pause and nothing else.

// MoveOptions say how a tenant is to be moved.
type MoveOptions struct {
	MaxPause time.Duration      // how long writes may be refused; what would take longer is given up. DefaultMaxPause if zero
	Watch    func(stage string) // if set, told of each stage that begins
}

// DefaultMaxPause is what a client that tries again hardly notices.
const DefaultMaxPause = 5 * time.Second

// Moved is what a move did.
type Moved struct {
	From, To string
	relocation.Report
	Pause time.Duration // for which writes were refused
}

// straggling is how long after the switch somebody may still look for the tenant in the source: a replica that hears no
// announcements trusts a record for deafTrust, and then works on for the length of a request.
const straggling = deafTrust + wait + 1500*time.Millisecond

// patience is how long a lock is waited for that somebody may just be giving back.
const patience = 3 * time.Second

var (
	// ErrMoving means that somebody else is moving or migrating the tenant.
	ErrMoving = errors.New("another run is moving or migrating this tenant")
	// ErrMoveLost means that a mover was taken for dead.
	ErrMoveLost = errors.New("this run was taken for dead, and its move was given up by another one")

	errStopped = errors.New("tenancy: a test ends here")
)

// move is a row of tenant_moves.
type move struct {
	tenant         id.Tenant
	id             uuid.UUID
	source, target string
	state          moveState
	age            time.Duration // since the switch, by the directory's clock
}

type moveState string

const (
	moveCopying  moveState = "copying"
	moveAborting moveState = "aborting"
	moveSwitched moveState = "moved"
)

// Move takes a tenant to another database and returns when nothing is left of it in the one before. Where it fails the tenant is
// where it was. Errors: ErrUnknown, ErrMoving, relocation.ErrBusy; 503 capacity_exhausted; 409 platform_protected.
func (p *Provisioner) Move(ctx context.Context, by Actor, t id.Tenant, to string, o MoveOptions) (Moved, error) {
	o.MaxPause = cmp.Or(o.MaxPause, DefaultMaxPause)
	if o.Watch == nil {
		o.Watch = func(string) {}
	}
	if _, ok := p.Placements[to]; !ok {
		return Moved{}, fmt.Errorf("database %q is not configured here", to)
	}
	if err := p.settleBefore(ctx, t); err != nil {
		return Moved{}, err
	}
	from, err := p.databaseOf(ctx, t)
	if err != nil {
		return Moved{}, err
	}
	if from == to {
		return Moved{}, fmt.Errorf("it lives in %s already", to)
	}
	hands, err := p.grasp(ctx, t, from, to, patience)
	if err != nil {
		return Moved{}, err
	}
	r := mover{Provisioner: p, MoveOptions: o, by: by, told: p.Outbox.bundle(), moved: Moved{From: from, To: to}}
	err = r.carry(ctx, t, hands)
	hands.release()
	switch {
	case r.m.id == uuid.Nil || errors.Is(err, errStopped):
		return r.moved, err
	case err != nil:
		return r.moved, p.putRight(ctx, r.m, err)
	}
	ctx = context.WithoutCancel(ctx) // it is done; what follows is housekeeping
	if p.Outbox != nil {
		p.Outbox.Directory.Forget(t) // this process may not listen
	}
	r.told.deliver(ctx)
	o.Watch("clear up")
	return r.moved, p.clearUp(ctx, r.m)
}

// mover is one call of Move.
type mover struct {
	*Provisioner
	MoveOptions
	by    Actor
	m     move // zero until it is reserved
	told  *entries
	moved Moved
}

// carry goes through all steps up to the switch.
func (r *mover) carry(ctx context.Context, t id.Tenant, hands grip) (err error) {
	// Now that we hold it: somebody else may have moved it since we asked.
	other, err := r.readMove(ctx, t)
	if err != nil {
		return err
	}
	if from, err := r.databaseOf(ctx, t); err != nil || from != r.moved.From || other.id != uuid.Nil {
		return cmp.Or(err, ErrMoving)
	}
	if err := hands.vacant(ctx, namespace(t)); err != nil {
		return fmt.Errorf("%s: %w", r.moved.To, err)
	}
	if r.m, err = r.reserveMove(ctx, t, r.moved.From, r.moved.To); err != nil {
		return err
	}
	if err := r.stop("reserve"); err != nil {
		return err
	}
	r.Watch("build")
	if err := buildFor(ctx, r.m, hands, r.Placements[r.m.target].runtimeRole); err != nil {
		return err
	}
	if err := r.stop("build"); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, r.MaxPause, errPause)
	defer cancel()
	if err := r.pause(ctx, hands); err != nil {
		if errors.Is(context.Cause(ctx), errPause) {
			err = fmt.Errorf("%w (%s)", errPause, r.MaxPause)
		}
		return err
	}
	r.moved.Pause = time.Since(began)
	return nil
}

var errPause = errors.New("writes would have been refused for longer than the longest pause, so it stays where it is")

// pause is what happens while writes are refused.
func (r *mover) pause(ctx context.Context, hands grip) (err error) {
	name := namespace(r.m.tenant)
	r.Watch("pause")
	if err := relocation.Fence(ctx, hands.source, name); err != nil {
		return err
	}
	if err := r.stop("fence"); err != nil {
		return err
	}
	if r.moved.Report, err = relocation.Copy(ctx, hands.source, hands.target, name); err != nil {
		return err
	}
	if err := r.stop("copy"); err != nil {
		return err
	}
	if err := relocation.Close(ctx, hands.source, name); err != nil {
		return err
	}
	if err := r.stop("close"); err != nil {
		return err
	}
	if err := r.switchOver(ctx); err != nil {
		return err
	}
	return r.stop("switch")
}

// stop is where tests end a mover as if its process had been killed.
func (r *mover) stop(after string) error {
	if err := r.step(after); err != nil {
		return errors.Join(errStopped, err)
	}
	return nil
}

// putRight is what a mover does whose move has failed: what anybody would do who finds it. It cannot know whether its switch was
// committed, if the answer was what failed.
func (p *Provisioner) putRight(ctx context.Context, m move, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	moved, err := p.settle(ctx, m, patience)
	switch {
	case err != nil:
		return fmt.Errorf("%w (and it could not be put right yet, which the replicas go on with: %w)", why, err)
	case moved:
		p.Log.LogAttrs(ctx, slog.LevelWarn, "move: an error came after the switch", slog.String("tenant", m.tenant.String()), slog.Any("error", why))
		return nil
	}
	return why
}

// reserveMove takes a place in the target.
func (p *Provisioner) reserveMove(ctx context.Context, t id.Tenant, from, to string) (m move, err error) {
	away := p.away(ctx)
	m = move{tenant: t, id: uuid.Must(uuid.NewV7()), source: from, target: to, state: moveCopying}
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		if _, err := p.place(ctx, tx, Tenant{Database: to}, away); err != nil {
			return err
		}
		was, err := lockTenant(ctx, tx, t)
		if err != nil {
			return err
		}
		if was.Master {
			return problem.New(problem.KindConflict, "platform_protected", "The platform tenant lives where the directory is, so that no other database that is away keeps its administrators out.")
		}
		return insertMove(ctx, tx, m)
	})
	if err != nil {
		return move{}, err
	}
	return m, nil
}

// switchOver has the tenant live in the target from the commit on.
func (r *mover) switchOver(ctx context.Context) error {
	return r.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		if err := switchMove(ctx, tx, r.m, r.Now()); err != nil {
			return err
		}
		return r.tellOfMove(ctx, tx, r.told, r.by, r.m)
	})
}

// tellOfMove puts a move into the platform's log, with the databases, and into the tenant's own without: what the platform's
// databases are called is nobody's to know.
func (p *Provisioner) tellOfMove(ctx context.Context, tx provisionTx, told *entries, by Actor, m move) error {
	platform, err := platformID(ctx, tx)
	if err != nil {
		return err
	}
	e := Event{Action: "tenant.moved", Actor: by, ResourceType: "tenant", ResourceID: m.tenant.String(), At: p.Now()}
	if !platform.IsZero() {
		if err := told.put(ctx, tx, platform, e.With("from", m.source).With("to", m.target)); err != nil {
			return err
		}
	}
	e.Actor = Actor{Type: ByPlatform}
	return told.put(ctx, tx, m.tenant, e)
}
