package custody

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
)

// relogAfter is how long a login must be old before a refused call may cause another one. Vault answers 403 to an
// expired token and to a forbidden path alike; without the pause a forbidden path would cause a login per call.
const relogAfter = 5 * time.Second

// session is logged in to Vault and stays so. One goroutine owns it:
//
//	log in --ok--> keep: renew before expiry --expiry near, or a call was refused--> log in
//	  ^  '--failed--> wait 0.2 s, doubling to 3 s --'
//
// Everybody else reads the state it publishes. A failed login keeps the token there was: it may still be good.
type session struct {
	login  func(context.Context) (*api.Secret, error)
	client *api.Client // carries the token, for renewing it
	log    *slog.Logger

	state  atomic.Pointer[loginState]
	kick   chan struct{} // a call was refused: log in again
	cancel context.CancelFunc
	done   chan struct{}
}

// loginState is immutable; next is closed when another one has taken its place.
type loginState struct {
	token     string
	err       error     // why there is no token
	attempted time.Time // zero: the first attempt is still under way
	next      chan struct{}
}

func newSession(client *api.Client, login func(context.Context) (*api.Secret, error), log *slog.Logger) *session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{login: login, client: client, log: log, kick: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	s.state.Store(&loginState{next: make(chan struct{})})
	go s.run(ctx)
	return s
}

func (s *session) close() {
	s.cancel()
	<-s.done
}

// token is the token to call with. It waits for the first login only, so that a replica which has just started
// does not refuse its first requests.
func (s *session) token(ctx context.Context) (string, error) {
	st := s.state.Load()
	if st.attempted.IsZero() {
		select {
		case <-st.next:
			st = s.state.Load()
		case <-ctx.Done():
			return "", fmt.Errorf("%w: not logged in to Vault yet", ErrUnavailable)
		}
	}
	if st.token == "" {
		return "", st.err
	}
	return st.token, nil
}

// after is called with a token that was refused and returns the one to try instead; none if the refusal stands. Of
// many calls refused at once the first causes a login; all wait for it, and a call that comes late finds the token
// replaced. An error means that logging in does not work either, which says more than the refusal.
func (s *session) after(ctx context.Context, refused string) (string, error) {
	st := s.state.Load()
	if st.token == refused && time.Since(st.attempted) >= relogAfter {
		select {
		case s.kick <- struct{}{}:
		default:
		}
		select {
		case <-st.next:
			st = s.state.Load()
		case <-ctx.Done():
			return "", fmt.Errorf("%w: log in to Vault: too slow", ErrUnavailable)
		}
	}
	if st.token == refused {
		return "", st.err
	}
	return st.token, nil
}
