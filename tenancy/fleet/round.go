package fleet

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// member is a tenant that is to be migrated.
type member struct {
	id       id.Tenant
	slug     tenancy.Slug
	database string
	version  int  // as the directory remembers it
	failed   bool // the last attempt at this version

	tries  int
	waited time.Duration // for another run that holds it
}

// outcome is how an attempt at a member went. With again, it may go better later; without an error, the schema is at version.
type outcome struct {
	member
	kind    kind
	version int
	err     error
}

type kind int

const (
	migrated kind = iota // by this attempt
	found                // there already
	gone                 // the tenant was deleted or moved while the run went on
	busy                 // another run holds it
	locked               // somebody used what was to be changed, or the server was away: later it may go better
	failed
	dirty
)

// tally counts what became of the members of one phase.
type tally struct {
	tried, failed int
	stopped       bool
}

const (
	tries      = 6 // and before each the longest pause of a round, eight seconds in all
	firstPause = 250 * time.Millisecond
	lastPause  = 4 * time.Second
)

// phase goes through the members in rounds: one that is held or locked does not hold up the others, and comes again in the next
// round. It ends when all are settled, or limit says that too many failed.
func (r *run) phase(ctx context.Context, members []member, limit func(failed, tried int) bool) (tally, error) {
	var t tally
	for pause := firstPause; len(members) > 0; pause = min(2*pause, lastPause) {
		again, err := r.round(ctx, members, &t, limit)
		if err != nil || t.stopped {
			return t, err
		}
		members = again
		if len(members) == 0 {
			break
		}
		wait := pause/2 + rand.N(pause/2) //nolint:gosec // it only keeps runs from meeting again
		for i := range members {
			members[i].waited += wait
		}
		if err := sleep(ctx, wait); err != nil {
			return t, err
		}
	}
	return t, nil
}

// round tries each member once, Workers at a time.
func (r *run) round(ctx context.Context, members []member, t *tally, limit func(failed, tried int) bool) (again []member, err error) {
	work, outcomes := make(chan member), make(chan outcome)
	var workers sync.WaitGroup
	for range min(r.Workers, len(members)) {
		workers.Go(func() {
			for m := range work {
				outcomes <- r.try(ctx, m)
			}
		})
	}
	next, flying := 0, 0
	for {
		var feed chan member
		var m member
		if next < len(members) && !t.stopped && ctx.Err() == nil {
			feed, m = work, members[next]
		} else if flying == 0 {
			break
		}
		select {
		case feed <- m:
			next, flying = next+1, flying+1
		case o := <-outcomes:
			flying--
			if ctx.Err() != nil && o.err != nil {
				continue // we were told to end, and so was this
			}
			if o.retried(r.StatementTimeout) {
				again = append(again, o.member)
				continue
			}
			r.settle(o, t)
			t.stopped = t.stopped || limit(t.failed, t.tried)
		}
	}
	close(work)
	workers.Wait()
	return again, context.Cause(ctx)
}

// retried reports whether to try again, and turns what has been tried long enough into a failure. What another run holds is
// its to migrate, and it may take as long as we may; but whoever was promised that all are migrated must hear if it hangs.
func (o *outcome) retried(statement time.Duration) bool {
	switch o.kind {
	case busy:
		if o.waited < 2*statement {
			return true
		}
		o.kind = failed
	case locked:
		if o.tries < tries {
			return true
		}
		o.kind = failed
	}
	return false
}

// settle counts an outcome that is final, and has it recorded.
func (r *run) settle(o outcome, t *tally) {
	t.tried++
	switch o.kind {
	case migrated:
		r.report.Migrated++
	case found:
		r.report.Found++
	case gone:
		delete(r.seen, o.id) // moved to another database, it is behind there
	default:
		t.failed++
		r.report.Failed = append(r.report.Failed, Failure{Tenant: o.id, Slug: o.slug, Database: o.database, Version: o.version, State: o.state(), Error: o.text()})
	}
	if o.kind != gone {
		r.recorder.put(o)
	}
	r.progress.Done++
	if r.Watch != nil {
		r.Watch(r.progress)
	}
}

// state is what the directory keeps.
func (o outcome) state() string {
	switch o.kind {
	case migrated, found:
		return "done"
	case dirty:
		return "dirty"
	}
	return "failed"
}

// mostError is how much of an error is kept, in characters.
const mostError = 1000

// text is the error on one line.
func (o outcome) text() string {
	if o.err == nil {
		return ""
	}
	text := strings.ToValidUTF8(strings.Join(strings.Fields(o.err.Error()), " "), "?")
	if utf8.RuneCountInString(text) > mostError {
		text = string([]rune(text)[:mostError])
	}
	return text
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
