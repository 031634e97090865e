package tenancy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/relocation"
)

// What is left of a move when its mover is gone, or has switched, is put right here: by the mover, by the next one, or by any replica.

// clearUp is what is left to do after the switch, for whoever has the time to wait.
func (p *Provisioner) clearUp(ctx context.Context, m move) error {
	for {
		wait, err := p.finish(ctx, m)
		if err != nil || wait == 0 {
			return err
		}
		time.Sleep(wait)
	}
}

// settleBefore puts right what an earlier move has left, or waits for its end.
func (p *Provisioner) settleBefore(ctx context.Context, t id.Tenant) error {
	m, err := p.readMove(ctx, t)
	if err != nil || m.id == uuid.Nil {
		return err
	}
	moved, err := p.settle(ctx, m, patience)
	if err == nil && moved {
		err = p.clearUp(ctx, m)
	}
	return err
}

// settle ends a move whose mover is gone, or its own: before the switch it is undone, after it what can be done now is done. It
// says which. Errors: ErrMoving while the mover lives.
func (p *Provisioner) settle(ctx context.Context, m move, patience time.Duration) (moved bool, err error) {
	hands, err := p.grasp(ctx, m.tenant, m.source, m.target, patience)
	if err != nil {
		return false, err
	}
	defer hands.release()
	now, err := p.condemnMove(ctx, m)
	switch {
	case err != nil:
		return false, err
	case now.id != m.id: // somebody was faster, and it is over
		database, err := p.databaseOf(ctx, m.tenant)
		return database == m.target, err
	case now.state == moveSwitched:
		return true, nil
	}
	return false, p.abort(ctx, m, hands)
}

// abort leaves the tenant where it was. The order matters: the row said so first, so that the mover, if it is not as dead as it
// seems, cannot switch any more.
func (p *Provisioner) abort(ctx context.Context, m move, hands grip) error {
	name := namespace(m.tenant)
	if err := relocation.Lift(ctx, hands.source, name); err != nil {
		return err
	}
	if err := p.step("lift"); err != nil {
		return err
	}
	if err := dropSchema(ctx, hands.target, name, p.Placements[m.target].runtimeRole); err != nil {
		return err
	}
	if err := p.step("undo"); err != nil {
		return err
	}
	return p.forgetMove(ctx, m)
}

// finish does what is left to do after the switch, unless it is too early for a part of it: then it says how long to wait.
func (p *Provisioner) finish(ctx context.Context, m move) (wait time.Duration, err error) {
	hands, err := p.grasp(ctx, m.tenant, m.source, m.target, patience)
	if err != nil {
		return 0, err
	}
	defer hands.release()
	now, err := p.readMove(ctx, m.tenant)
	if err != nil || now.id != m.id {
		return 0, err
	}
	if err := moveJobs(ctx, hands, m.tenant); err != nil {
		return 0, err
	}
	if err := p.step("jobs"); err != nil {
		return 0, err
	}
	if wait := cmp.Or(p.straggling, straggling) - now.age; wait > 0 {
		return wait, nil
	}
	if err := dropSchema(ctx, hands.source, namespace(m.tenant), p.Placements[m.source].runtimeRole); err != nil {
		return 0, err
	}
	if err := p.step("drop"); err != nil {
		return 0, err
	}
	return 0, p.forgetMove(ctx, m)
}

// SettleMoves ends the moves whose movers are gone.
func (p *Provisioner) SettleMoves(ctx context.Context) error {
	all, err := p.readMoves(ctx)
	if err != nil {
		return err
	}
	var failed []error
	passed := absences{}
	for _, m := range all {
		if ctx.Err() != nil {
			break
		}
		if passed.over(ctx, p, m.source) || passed.over(ctx, p, m.target) {
			continue
		}
		moved, err := p.settle(ctx, m, time.Millisecond)
		if errors.Is(err, ErrMoving) {
			continue
		}
		if err == nil && moved {
			_, err = p.finish(ctx, m) // whatever it is too early for is for the next time
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		p.Log.LogAttrs(ctx, slog.LevelWarn, "move: a move that was left undone was ended", slog.String("tenant", m.tenant.String()), slog.Bool("moved", moved))
	}
	return passed.with(failed)
}
