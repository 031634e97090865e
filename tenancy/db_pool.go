package tenancy

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// lifetime is when a connection is retired, and up to lifetimeJitter later, if it was not worn out by then: a backend's
	// catalog caches grow with every tenant it has touched, and nothing but closing it gives them back.
	lifetime       = 15 * time.Minute
	lifetimeJitter = 3 * time.Minute

	// unasked is how long a connection may lie idle and be believed to be alive.
	unasked = time.Second

	// farewell is how long a connection that is being closed keeps its place, so that the server never has more of ours
	// than the pool's size: longer than a statement may run, and not as long as a server that is gone would take.
	farewell = 5 * time.Second

	// statements is how many prepared ones a connection keeps. Those used longest ago make room.
	statements = 512
)

// errClosed is what comes of using a pool that is closed.
var errClosed = errors.New("tenancy: the pool of connections is closed")

// Pool is the serving role's connections to one database. It prefers a connection that has served the tenant lately:
// Postgres plans a prepared statement anew when the connection was in another schema meanwhile, and planning costs several
// times what executing does. That it was there is all that a connection remembers of a tenant.
//
// A connection that was lost, is busy, or is still in a transaction when it comes back is closed. One that has been idle
// for a second is asked whether it is alive before it is given out.
type Pool struct {
	config  *pgx.ConnConfig
	direct  *pgx.ConnConfig // which leads around a pooler
	size    int
	most    int         // different tenants that a connection serves
	told    bool        // how to execute statements, by the URL
	through atomic.Bool // a pooler, as the first connection found

	mu      sync.Mutex
	open    int     // places that are taken: by connections, and by those being opened or closed
	opening int     // of those
	idle    []*conn // the one that was used longest ago first
	line    []*waiter
	refused time.Time // when opening failed last
	closed  bool
	places  sync.WaitGroup // counts as open does
}

// conn is a connection of a pool.
type conn struct {
	*pgx.Conn
	last    string // the namespace it served last
	own     bool   // which has statements of its own there; never so behind a pooler, where nothing is kept
	known   known
	wear    wear
	since   time.Time // when it became idle
	retired time.Time // when it is to be closed
	timer   *time.Timer
}

// knows reports whether the connection has plans of a tenant.
func (c *conn) knows(namespace string) bool { return c.last == namespace || c.known.has(namespace) }

// named is a statement as the tenant that the connection serves has it there.
func (c *conn) named(sql string) string {
	if !c.own {
		return sql
	}
	return "/* " + c.last + " */ " + sql
}

// NewPool makes a pool of at most size connections. None is opened before it is wanted.
func NewPool(url string, size int32) (*Pool, error) {
	c, err := poolConfig(url, size)
	if err != nil {
		return nil, err
	}
	c.ConnConfig.StatementCacheCapacity = statements
	return &Pool{config: c.ConnConfig, direct: c.ConnConfig, size: int(size), most: mostTenants, told: strings.Contains(url, "default_query_exec_mode")}, nil
}

// User is the role that the pool's connections log in as.
func (p *Pool) User() string { return p.config.User }

// Ping reports whether the database answers.
func (p *Pool) Ping(ctx context.Context) error {
	return p.with(ctx, "", func(c *conn) error { return c.Ping(ctx) })
}

// row reads one row as nobody's: with the rights of the serving role itself, which has next to none.
func (p *Pool) row(ctx context.Context, sql string, args []any, into ...any) error {
	return p.with(ctx, "", func(c *conn) error { return c.QueryRow(ctx, sql, args...).Scan(into...) })
}

// Close turns away who waits and whoever comes, and returns when all connections are back and closed.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for _, w := range p.line {
		w.got <- turn{err: errClosed}
	}
	p.line = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.retire(c)
	}
	p.places.Wait()
}

// with runs do on a connection, for a namespace or for none, and takes it back also when do panics.
func (p *Pool) with(ctx context.Context, namespace string, do func(*conn) error) error {
	c, err := p.acquire(ctx, namespace)
	if err != nil {
		return err
	}
	defer p.release(c)
	return do(c)
}

func (p *Pool) acquire(ctx context.Context, namespace string) (*conn, error) {
	for {
		c, err := p.next(ctx, namespace)
		if err != nil {
			return nil, err
		}
		if time.Since(c.since) > unasked {
			if err := c.Ping(ctx); err != nil {
				p.retire(c)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				continue // ends: the next one is idle too, of which there are fewer now, or new
			}
		}
		if namespace != "" {
			c.last, c.own = namespace, c.known.serve(namespace) && !p.through.Load()
			c.wear.by(namespace)
		}
		return c, nil
	}
}

// next is a connection that is idle, or else the first that comes back or is opened.
func (p *Pool) next(ctx context.Context, namespace string) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if i := choose(p.idle, namespace); i >= 0 {
		c := p.idle[i]
		p.idle = slices.Delete(p.idle, i, i+1)
		if !c.knows(namespace) && c.last != "" && namespace != "" && p.opening == 0 && time.Since(p.refused) > time.Second {
			p.grow() // this request does not wait for it; the next of either tenant finds it
		}
		p.mu.Unlock()
		return c, nil
	}
	w := &waiter{namespace: namespace, got: make(chan turn, 1)}
	p.line = append(p.line, w)
	if len(p.line) > p.opening {
		p.grow()
	}
	p.mu.Unlock()
	select {
	case t := <-w.got:
		return t.conn, t.err
	case <-ctx.Done():
		p.leave(w)
		return nil, ctx.Err()
	}
}

// leave takes a waiter out of the line, and gives back what it was given in the same moment.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	if i := slices.Index(p.line, w); i >= 0 {
		p.line = slices.Delete(p.line, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if t := <-w.got; t.conn != nil {
		p.release(t.conn)
	}
}

// release takes a connection back.
func (p *Pool) release(c *conn) {
	if c.IsClosed() || c.PgConn().IsBusy() || c.PgConn().TxStatus() != 'I' || c.wear.out() || !time.Now().Before(c.retired) {
		p.retire(c)
		return
	}
	c.since = time.Now()
	if !p.give(c) {
		p.retire(c)
	}
}

// give hands a connection to who waits, or else lays it down. It is false when the pool is closed.
func (p *Pool) give(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if i := call(p.line, c); i >= 0 {
		w := p.line[i]
		p.line = slices.Delete(p.line, i, i+1)
		w.got <- turn{conn: c}
	} else {
		p.idle = append(p.idle, c)
	}
	return true
}

// retire closes a connection that nobody else has. Its place is free once it is gone.
func (p *Pool) retire(c *conn) {
	c.timer.Stop()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		_ = c.Close(ctx)
		select {
		case <-c.PgConn().CleanupDone():
		case <-ctx.Done():
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.vacate()
		if len(p.line) > p.opening {
			p.grow()
		}
	}()
}

// retireIdle is retire for the connection whose time is over. One that is in use is looked at when it comes back.
func (p *Pool) retireIdle(c *conn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.retire(c)
	}
}

// grow opens a connection if there is a place. It is called with the lock held. The one who waits for it may leave
// before it is there, so it is opened for whoever comes.
func (p *Pool) grow() {
	if p.closed || p.open == p.size {
		return
	}
	p.open++
	p.opening++
	p.places.Add(1)
	go func() {
		c, err := p.connect()
		p.mu.Lock()
		p.opening--
		if err != nil {
			p.refused = time.Now()
			p.vacate()
			p.despair(err)
		}
		p.mu.Unlock()
		if err == nil && !p.give(c) {
			p.retire(c)
		}
	}()
}

func (p *Pool) connect() (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*wait)
	defer cancel()
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	lives := lifetime + rand.N(lifetimeJitter) //nolint:gosec // nothing secret
	now := time.Now()
	made := &conn{Conn: c, wear: newWear(p.most), since: now, retired: now.Add(lives)}
	made.timer = time.AfterFunc(lives, func() { p.retireIdle(made) })
	return made, nil
}

// vacate frees a place. It is called with the lock held.
func (p *Pool) vacate() {
	p.open--
	p.places.Done()
}

// despair tells all who wait that no connection could be opened, unless one will come that is open or being opened. It is
// called with the lock held.
func (p *Pool) despair(err error) {
	if p.open > 0 {
		return
	}
	for _, w := range p.line {
		w.got <- turn{err: err}
	}
	p.line = nil
}
