package guessing

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// turns lets a few tries at one account be under way at a time, and the others wait for theirs. Each is counted as a wrong
// one until it is judged, so a person whose devices all sign in at once would be told to wait for their own right passwords.
type turns struct {
	mu    sync.Mutex
	lines map[uuid.UUID]*line
}

// line is an account's. It is there only while somebody tries or waits, so the map does not grow with the names tried.
type line struct {
	slots chan struct{}
	users int
}

const (
	turnsAtOnce  = 3 // on two replicas together no more than an account's free failures and one
	turnsWaiting = 64
)

func newTurns() *turns { return &turns{lines: map[uuid.UUID]*line{}} }

// take waits for a turn, as long as ctx allows, and returns how to give it back, which may be done more than once. Errors:
// 503 where too many wait, or for too long.
func (s *turns) take(ctx context.Context, account uuid.UUID) (release func(), err error) {
	s.mu.Lock()
	l := s.lines[account]
	if l == nil {
		l = &line{slots: make(chan struct{}, turnsAtOnce)}
		s.lines[account] = l
	}
	if l.users >= turnsAtOnce+turnsWaiting {
		s.mu.Unlock()
		return nil, problem.Unavailable(time.Second, nil)
	}
	l.users++
	s.mu.Unlock()

	select {
	case l.slots <- struct{}{}:
		return sync.OnceFunc(func() { <-l.slots; s.leave(account, l) }), nil
	case <-ctx.Done():
		s.leave(account, l)
		return nil, problem.Unavailable(time.Second, ctx.Err())
	}
}

func (s *turns) leave(account uuid.UUID, l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(s.lines, account)
	}
}
