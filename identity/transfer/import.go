// Package transfer brings a tenant's users from other systems, with what those made of their passwords, and gives them out
// again.
//
// An import is a stream of lines, one user each, and one result for each line:
//
//	read --line--> parse --candidate--> batch of up to 500 --one transaction--> results
//	(a goroutine)                       (or what has come within 10 ms)
//
// Neither the lines nor the results are kept, so its size is bounded by the batch. What is in has been committed before
// its result is told. An import that ended early is repeated from its start: who is there already is told to exist.
//
// An export is lines that Import takes. How the hashes that other systems made are kept is known here (Imported), and how they
// are verified in password; what an address is, and who may import, is identity's.
package transfer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/password/foreign"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Transfers brings a tenant's users here from other systems, and gives them out again.
type Transfers struct {
	Options
	imports importSlots
}

// Options configures New.
type Options struct {
	DB       *tenancy.DB
	Imported *Imported
	Now      func() time.Time
	Log      *slog.Logger
}

// New makes a Transfers.
func New(o Options) *Transfers { return &Transfers{Options: o} }

// Importing is what an import is made of.
type Importing struct {
	In io.Reader
	// Still is asked before each batch whether the caller may go on.
	Still func(context.Context) error
	// Out takes the results, in the order of the lines.
	Out func([]ImportResult) error
	// Vouch lets lines say that an address is verified.
	Vouch bool
}

// ImportStatus is what became of a line.
type ImportStatus string

// A line makes a user, finds one with its address, or is refused.
const (
	ImportCreated ImportStatus = "created"
	ImportExists  ImportStatus = "exists"
	ImportError   ImportStatus = "error"
)

// ImportResult is what became of one line. Of a user who exists it tells the id; nothing of theirs was changed.
type ImportResult struct {
	Line    int
	Email   identity.Email
	ID      id.User
	Status  ImportStatus
	Code    string
	Message string
}

// ImportCounts are how many lines came to what.
type ImportCounts struct{ Lines, Created, Exists, Errors int }

func (c *ImportCounts) add(results []ImportResult) {
	c.Lines += len(results)
	for _, r := range results {
		switch r.Status {
		case ImportCreated:
			c.Created++
		case ImportExists:
			c.Exists++
		default:
			c.Errors++
		}
	}
}

// candidate is a line that was read: a user to be, or why not.
type candidate struct {
	line   int
	user   identity.User
	hash   *foreign.Hash
	reason string // why the line is refused; empty when it is not
}

// How many imports a replica takes at a time, and of one tenant: an import may take as long as its client likes, so a tenant
// that leaves some standing must not keep the others from theirs.
const (
	maxImports      = 16
	importsOfTenant = 2
)

// importSlots are the imports under way.
type importSlots struct {
	mu  sync.Mutex
	all int
	of  map[id.Tenant]int
}

// take has one more under way, or fails with 503.
func (s *importSlots) take(t id.Tenant) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxImports || s.of[t] >= importsOfTenant {
		return nil, problem.Unavailable(10*time.Second, errors.New("too many imports at a time"))
	}
	if s.of == nil {
		s.of = map[id.Tenant]int{}
	}
	s.all++
	s.of[t]++
	return func() { s.leave(t) }, nil
}

func (s *importSlots) leave(t id.Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[t]--; s.of[t] == 0 {
		delete(s.of, t)
	}
}

const (
	importBatch = 500
	// importPause is how long a batch waits for another line. A client may send a line and wait for its result.
	importPause = 10 * time.Millisecond
)

// Import adds users, with the password hashes other systems made of their passwords. Everyone has the role user. Errors end
// it early; what Out was told before them has happened.
func (s *Transfers) Import(ctx context.Context, by identity.Caller, im Importing) (counts ImportCounts, err error) {
	release, err := s.imports.take(by.Tenant.ID)
	if err != nil {
		return counts, err
	}
	defer release()
	defer func() {
		if counts.Lines > 0 {
			s.recordImport(ctx, by, counts, err)
		}
	}()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	lines, failed := im.read(reading)
	for batch := range batches(lines) {
		if err := im.Still(ctx); err != nil {
			return counts, err
		}
		results, err := s.importBatch(ctx, by.Tenant, batch)
		if err != nil {
			return counts, err
		}
		counts.add(results)
		if err := im.Out(results); err != nil {
			return counts, err
		}
	}
	return counts, <-failed
}

// batches gathers lines until there are enough, or no other comes.
func batches(lines <-chan candidate) func(yield func([]candidate) bool) {
	return func(yield func([]candidate) bool) {
		for first := range lines {
			batch := append(make([]candidate, 0, importBatch), first)
			pause := time.NewTimer(importPause)
		gather:
			for len(batch) < importBatch {
				select {
				case next, more := <-lines:
					if !more {
						break gather
					}
					batch = append(batch, next)
				case <-pause.C:
					break gather
				}
			}
			pause.Stop()
			if !yield(batch) {
				return
			}
		}
	}
}

// importBatch writes the users of a batch in one transaction. A line that is refused takes no other with it.
func (s *Transfers) importBatch(ctx context.Context, t tenancy.Tenant, batch []candidate) ([]ImportResult, error) {
	seal, err := s.Imported.sealer(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	rows, announce := &importRows{at: now}, false
	for i := range batch {
		c := &batch[i]
		if c.reason != "" {
			continue
		}
		hash := password.Hash("")
		if c.hash != nil {
			hash, announce = seal(c.user.ID, *c.hash), true
		}
		rows.add(c.user, hash)
	}
	announce = announce && s.Imported.undecided(ctx, t)
	var ids map[identity.Email]id.User
	err = s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) (err error) {
		if ids, err = importUsers(ctx, tx, rows); err != nil || !announce {
			return err
		}
		return tenancy.Announce(ctx, tx) // from now on logins cost what imported hashes cost
	})
	if err != nil {
		return nil, err
	}
	results := make([]ImportResult, len(batch))
	for i, c := range batch {
		results[i] = c.result(ids)
	}
	return results, nil
}

// undecided reports whether the tenant has no decoy so far. In doubt it has none.
func (i *Imported) undecided(ctx context.Context, t tenancy.Tenant) bool {
	decoy, err := i.Decoy(ctx, t.ID)
	return decoy == nil || err != nil
}

// result is what became of the line, when these are the users with the addresses of its batch.
func (c candidate) result(ids map[identity.Email]id.User) ImportResult {
	r := ImportResult{Line: c.line, Email: c.user.Email}
	switch {
	case c.reason != "":
		r.Status, r.Code, r.Message = ImportError, "invalid_line", c.reason
	case ids[c.user.Email] == c.user.ID:
		r.Status, r.ID = ImportCreated, c.user.ID
	default:
		r.Status, r.ID = ImportExists, ids[c.user.Email]
	}
	return r
}

// recordImport notes in the audit log what an import came to, also one that was given up: its client may be gone, and the
// users are there.
func (s *Transfers) recordImport(ctx context.Context, by identity.Caller, c ImportCounts, failed error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	e := audit.Event{Action: "users.imported", Actor: by.Actor(), At: s.Now()}.
		With("created", c.Created).With("exists", c.Exists).With("errors", c.Errors).With("complete", failed == nil)
	err := s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error { return audit.Record(ctx, tx, e) })
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "import: the audit log does not tell of it", slog.String("tenant", by.Tenant.ID.String()),
			slog.Int("created", c.Created), slog.Any("error", err))
	}
}
