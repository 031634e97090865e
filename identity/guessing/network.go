package guessing

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// limits is how many of something one network may do at one tenant, in each of some lengths of time. The time begins with
// the first.
type limits struct {
	kind  string
	rates []rate
}

type rate struct {
	most int
	in   time.Duration
}

var (
	passwordLimits = limits{"network", []rate{{20, time.Minute}, {300, time.Hour}}} // wrong passwords
	recoveryLimits = limits{"recovery", []rate{{5, time.Minute}}}                   // mails asked for
	refreshLimits  = limits{"refresh", []rate{{60, time.Minute}}}                   // refresh tokens that are none
	changeLimits   = limits{"change", []rate{{5, time.Minute}, {20, time.Hour}}}    // changes of address that one user asks for
)

// window is one counter of a network.
type window struct {
	key uuid.UUID
	rate
}

// of is where a network is counted; nowhere if nobody knows it. Tries at different kinds of accounts count apart.
func (l limits) of(names []byte, at string, n netip.Prefix) (all []window) {
	if !n.IsValid() {
		return nil
	}
	return l.windows(names, at, n.String())
}

func (l limits) windows(names []byte, at, who string) (all []window) {
	for _, r := range l.rates {
		all = append(all, window{counterKey(names, l.kind, at+" "+r.in.String()+" "+who), r})
	}
	return all
}

// networkOf is what counts as one client: an IPv4 address, or the IPv6 network that a household is given.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address
	return p
}

// AskForMail counts a request for a mail to somebody who cannot sign in, and refuses with 429 what a network asks for too
// often.
func (h *Throttle) AskForMail(ctx context.Context, t tenancy.Tenant, from netip.Addr) error {
	return h.spend(ctx, t, func(names []byte) []window { return recoveryLimits.of(names, "", networkOf(from)) })
}

// AskForChange counts a change of address that a user asks for: each is a mail to an address of their choice. Errors: 429, 503.
func (h *Throttle) AskForChange(ctx context.Context, t tenancy.Tenant, u id.User) error {
	return h.spend(ctx, t, func(names []byte) []window { return changeLimits.windows(names, "", u.String()) })
}

// WrongRefresh counts a refresh token that is none. It is called once that is known: a good token is never refused, however
// many bad ones come from its network. Errors: 429 in place of the caller's refusal, 503.
func (h *Throttle) WrongRefresh(ctx context.Context, t tenancy.Tenant, from netip.Addr) error {
	return h.spend(ctx, t, func(names []byte) []window { return refreshLimits.of(names, "", networkOf(from)) })
}

func (h *Throttle) spend(ctx context.Context, t tenancy.Tenant, of func(names []byte) []window) error {
	names, err := h.nameKeys.Of(ctx, t)
	if err != nil {
		return err
	}
	windows, now := of(names), h.Now()
	if len(windows) == 0 {
		return nil
	}
	if wait := h.local.waitAt(windows, now); wait > 0 {
		return problem.RateLimited(wait)
	}
	var wait time.Duration
	err = h.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		countWindows(b, windows, now, &wait)
		trimFailures(b, windows[0].key, now)
	})
	if err == nil && wait > 0 {
		h.local.shutUntil(windows, now.Add(wait))
		err = problem.RateLimited(wait)
	}
	return err
}

// local is what one replica remembers of networks. It counts the wrong passwords of a network at all tenants together: what
// goes round the tenants one by one stays under the limit of each. That limit is generous, because an office is one network
// to many tenants. And it knows which networks have to wait at which tenant, so that those who go on all the same cost the
// database nothing; nothing ends such a wait early.
type local struct {
	mu   sync.Mutex
	seen *lru.Cache[netip.Prefix, spell]
	shut *lru.Cache[uuid.UUID, time.Time] // by the key of the network's first window
}

// spell is a minute of a network.
type spell struct {
	failures int
	ends     time.Time
}

const (
	localMost     = 600    // a minute: what thirty tenants allow
	localNetworks = 20_000 // remembered; of more, those that failed last
)

func newLocal() *local {
	seen, err := lru.New[netip.Prefix, spell](localNetworks)
	shut, err2 := lru.New[uuid.UUID, time.Time](localNetworks)
	if err != nil || err2 != nil {
		panic("guessing: a cache of a constant size cannot be made")
	}
	return &local{seen: seen, shut: shut}
}

// wait is how long a network has to wait at all tenants.
func (l *local) wait(n netip.Prefix, now time.Time) time.Duration {
	s, ok := l.seen.Get(n)
	if !ok || s.failures < localMost || !s.ends.After(now) {
		return 0
	}
	return s.ends.Sub(now)
}

// failing reports whether a password from the network was wrong within its last minute.
func (l *local) failing(n netip.Prefix, now time.Time) bool {
	s, ok := l.seen.Get(n)
	return ok && s.ends.After(now)
}

// waitAt is how long it has to wait where these windows are.
func (l *local) waitAt(windows []window, now time.Time) time.Duration {
	if len(windows) == 0 {
		return 0
	}
	until, _ := l.shut.Get(windows[0].key)
	return max(0, until.Sub(now))
}

// shutUntil remembers that a network has to wait where these windows are.
func (l *local) shutUntil(windows []window, until time.Time) {
	if len(windows) > 0 {
		l.shut.Add(windows[0].key, until)
	}
}

// count counts a failure, and says how long the network has to wait if it is one too many.
func (l *local) count(n netip.Prefix, now time.Time) time.Duration {
	if !n.IsValid() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen.Get(n)
	if !ok || !s.ends.After(now) {
		s = spell{ends: now.Add(time.Minute)}
	}
	s.failures++
	l.seen.Add(n, s)
	if s.failures <= localMost {
		return 0
	}
	return s.ends.Sub(now)
}
