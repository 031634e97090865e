package policyadmin

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Rehearsal is what a draft would have made of the logins that there were.
type Rehearsal struct {
	From, To  time.Time // To is earlier than was asked for where time ran out
	Complete  bool
	Logins    int // that were put to the draft; the sum of the next five
	Unchanged int
	Denied    int // that went well
	Asked     int // that went well, and for which more would have been asked
	Permitted int // that the rules then denied
	Uncertain int // of whose network a part would be denied: the log does not hold whole addresses
	Skipped   int // of users there are no more, or recorded before entries said enough
	Users     []Affected
	Omitted   int // users beyond those listed
}

// Affected is a user for whom something would have been otherwise.
type Affected struct {
	User    id.User
	Email   string
	Change  Change
	Logins  int
	Last    time.Time
	Methods []string // that would be asked for
	Notices []string
	Rules   []policy.Named // that would have decided the last of them
}

// Change is what would have been otherwise.
type Change string

// The changes.
const (
	Denied    Change = "denied"
	Asked     Change = "asked"
	Permitted Change = "permitted"
	Uncertain Change = "uncertain"
)

const (
	mostAffected   = 1000
	rehearsalPage  = 2000
	rehearsalTime  = time.Minute
	longestHistory = 90 // days
)

// Rehearse puts the tenant's logins since a moment to a draft: as they were made, by users as they are now. Of an address the
// audit log holds the network; both ends of it are tried. Errors: 404 not_found, 429 while another rehearsal runs here.
func (s *Store) Rehearse(ctx context.Context, t tenancy.Tenant, d Draft, since time.Time, tell func(done, all int)) (Rehearsal, error) {
	select {
	case s.rehearsals <- struct{}{}:
		defer func() { <-s.rehearsals }()
	default: // they take a core each, and others sign in meanwhile
		return Rehearsal{}, problem.RateLimited(5 * time.Second)
	}
	all, err := s.Read(ctx, t)
	if err != nil {
		return Rehearsal{}, err
	}
	set, err := d.over(all)
	if err != nil {
		return Rehearsal{}, err
	}
	decided, err := s.Settings.Of(ctx, t)
	if err != nil {
		return Rehearsal{}, err
	}
	r := &rehearser{store: s, tenant: t, set: set, enrollable: decided.MFA.Enrollable(), since: since, until: s.Now(),
		people: map[id.User]*policy.Subject{}, affected: map[affection]*Affected{}, devices: map[string]time.Time{}, failures: map[id.User][]time.Time{}}
	if err := r.run(ctx, tell); err != nil {
		return Rehearsal{}, err
	}
	return r.result(), nil
}
