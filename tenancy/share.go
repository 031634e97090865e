package tenancy

import (
	"context"
	"sync"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// shares keeps one tenant from holding all connections of a pool: a storm on it, or a table of it that is locked, is then
// its own trouble and not that of the others. Each tenant may hold half of them; whoever comes for more waits in the
// tenant's own line and not in the pool's.
type shares struct {
	each int

	mu    sync.Mutex
	lines map[id.Tenant]*share
}

// share is a tenant's. It is there only while somebody holds or waits for a connection, so the map does not grow with
// the tenants that were ever seen.
type share struct {
	slots chan struct{}
	users int
}

func newShares(connections int) *shares {
	return &shares{each: max(1, connections/2), lines: map[id.Tenant]*share{}}
}

// take waits for a connection of the tenant's share, as long as ctx allows, and returns how to give it back.
func (s *shares) take(ctx context.Context, t id.Tenant) (release func(), err error) {
	s.mu.Lock()
	line := s.lines[t]
	if line == nil {
		line = &share{slots: make(chan struct{}, s.each)}
		s.lines[t] = line
	}
	line.users++
	s.mu.Unlock()

	select {
	case line.slots <- struct{}{}:
		return func() { <-line.slots; s.leave(t, line) }, nil
	case <-ctx.Done():
		s.leave(t, line)
		return nil, ctx.Err()
	}
}

func (s *shares) leave(t id.Tenant, line *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line.users--; line.users == 0 {
		delete(s.lines, t)
	}
}
