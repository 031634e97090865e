package fleet

import (
	"context"
	"time"
)

// recorder writes outcomes into the directory, beside the work: while one write is under way, those of all workers gather for
// the next. What is not written when the process dies is found again by the next run, in the tenants' own schemas.
type recorder struct {
	write    func(context.Context, []outcome) error
	outcomes chan outcome
	done     chan struct{}
	failed   chan struct{} // closed when err is set
	err      error
}

// mostAtOnce is how many outcomes one write takes.
const mostAtOnce = 200

func newRecorder(ctx context.Context, write func(context.Context, []outcome) error) *recorder {
	r := &recorder{write: write, outcomes: make(chan outcome, mostAtOnce), done: make(chan struct{}), failed: make(chan struct{})}
	go r.run(context.WithoutCancel(ctx)) // whoever interrupts a run wants to keep what it did
	return r
}

// put hands an outcome over.
func (r *recorder) put(o outcome) { r.outcomes <- o }

// guard is a context that ends when nothing can be recorded any more, for then the run is of no use.
func (r *recorder) guard(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-r.failed:
			cancel(r.err)
		case <-r.done:
			cancel(nil)
		}
	}()
	return ctx
}

// close waits until all is written. Nothing is put after it.
func (r *recorder) close() error {
	close(r.outcomes)
	<-r.done
	return r.err
}

func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	for first := range r.outcomes {
		batch := r.gather(first)
		if r.err != nil {
			continue // and empty the channel
		}
		if r.err = r.keep(ctx, batch); r.err != nil {
			close(r.failed)
		}
	}
}

func (r *recorder) gather(first outcome) []outcome {
	batch := []outcome{first}
	for len(batch) < mostAtOnce {
		select {
		case o, open := <-r.outcomes:
			if !open {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// keep writes a batch, and again where another writer of the same rows was first or the server was away for a moment.
func (r *recorder) keep(ctx context.Context, batch []outcome) (err error) {
	for pause := 100 * time.Millisecond; pause < 4*time.Second; pause *= 2 {
		if err = r.write(ctx, batch); err == nil || !passing(err) {
			return err
		}
		_ = sleep(ctx, pause)
	}
	return err
}
