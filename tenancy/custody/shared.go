package custody

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// Shared is a Custodian whose calls in flight tenants share by the time they take, at most half of them for one: Vault knows
// nothing of tenants and answers whoever asks most. A call that gets no place is ErrUnavailable and the gate's refusal
// (fairshare.ErrBusy) in one; while the custodian is away it is ErrUnavailable alone.
type Shared struct {
	of   Custodian
	gate *fairshare.Gate
	away atomic.Bool // the call that ended last had no answer
}

// Share makes a Shared that lets a number of calls through at a time, and others wait no longer than patience.
func Share(c Custodian, calls int, patience time.Duration) *Shared {
	return &Shared{of: c, gate: fairshare.NewGate(fairshare.Options{
		Slots: calls, Each: max(1, calls/2), MaxWait: patience, Cost: 2 * time.Millisecond,
	})}
}

// call makes one call in the tenant's turn.
func call[T any](ctx context.Context, s *Shared, t id.Tenant, do func() (T, error)) (answer T, err error) {
	leave, err := s.gate.Enter(ctx, t)
	switch {
	case err != nil && s.away.Load(): // nobody asks too much of it; it does not answer
		return answer, fmt.Errorf("%w: %v", ErrUnavailable, err)
	case err != nil:
		return answer, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer leave()
	answer, err = do()
	s.away.Store(errors.Is(err, ErrUnavailable) && ctx.Err() == nil)
	return answer, err
}

// Sign is the Custodian's.
func (s *Shared) Sign(ctx context.Context, t id.Tenant, k SigningKey, input []byte) ([]byte, error) {
	return call(ctx, s, t, func() ([]byte, error) { return s.of.Sign(ctx, t, k, input) })
}

// HMAC is the Custodian's.
func (s *Shared) HMAC(ctx context.Context, t id.Tenant, version int, input []byte) (mac []byte, used int, err error) {
	mac, err = call(ctx, s, t, func() (mac []byte, err error) {
		mac, used, err = s.of.HMAC(ctx, t, version, input)
		return mac, err
	})
	return mac, used, err
}

// Seal is the Custodian's.
func (s *Shared) Seal(ctx context.Context, t id.Tenant, plaintext, associated []byte) (string, error) {
	return call(ctx, s, t, func() (string, error) { return s.of.Seal(ctx, t, plaintext, associated) })
}

// Open is the Custodian's.
func (s *Shared) Open(ctx context.Context, t id.Tenant, sealed string, associated []byte) ([]byte, error) {
	return call(ctx, s, t, func() ([]byte, error) { return s.of.Open(ctx, t, sealed, associated) })
}

// Ready is the Custodian's.
func (s *Shared) Ready(ctx context.Context) error { return s.of.Ready(ctx) }
