package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

// after is called with a token that was refused and returns the one to try instead, if there is any. Of many calls
// refused at once the first causes a login; all wait for it, and a call that comes late finds the token replaced.
func (s *session) after(ctx context.Context, refused string) (string, bool) {
	st := s.state.Load()
	if st.token == refused {
		if time.Since(st.attempted) < relogAfter {
			return "", false
		}
		select {
		case s.kick <- struct{}{}:
		default:
		}
		select {
		case <-st.next:
			st = s.state.Load()
		case <-ctx.Done():
			return "", false
		}
	}
	return st.token, st.token != "" && st.token != refused
}

func (s *session) run(ctx context.Context) {
	defer close(s.done)
	pause := time.Duration(0)
	for wait(ctx, pause) {
		secret, err := s.attempt(ctx)
		if err != nil {
			s.log.Warn("Vault login failed", "error", err)
			pause = backOff(pause)
			continue
		}
		s.log.Info("logged in to Vault", "seconds", secret.Auth.LeaseDuration)
		s.keep(ctx, secret)
		// Not at once: a token that is at the end of its life when it is given would have us log in without pause.
		pause = 200 * time.Millisecond
	}
}

func backOff(last time.Duration) time.Duration {
	next := min(max(2*last, 200*time.Millisecond), 3*time.Second)
	return next - rand.N(next/4) // replicas that lost Vault together do not come back together
}

// wait returns false if the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *session) attempt(ctx context.Context) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	secret, err := s.login(ctx)
	if err == nil && (secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "") {
		err = errors.New("the answer holds no token")
	}
	old := s.state.Load()
	st := &loginState{token: old.token, attempted: time.Now(), next: make(chan struct{})}
	if err != nil {
		err = loginError(err)
		st.err = err
	} else {
		st.token = secret.Auth.ClientToken
		s.client.SetToken(st.token)
	}
	select {
	case <-s.kick: // asked for while this attempt was under way, which has answered it
	default:
	}
	s.state.Store(st)
	close(old.next)
	return secret, err
}

// loginError tells a refusal, which only an operator can end, from an outage.
func loginError(err error) error {
	var answer *api.ResponseError
	if errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode >= 400 &&
		answer.StatusCode != 412 && answer.StatusCode != 429 {
		return fmt.Errorf("%w: log in to Vault: %w", ErrDenied, err)
	}
	return fmt.Errorf("%w: log in to Vault: %v", ErrUnavailable, err) // %v: its deadline is not the caller's
}

// keep renews the token until it must be replaced. The watcher ends silently when a renewal no longer gains time
// (max_ttl is near), and outlasts an outage of Vault as long as the token does.
func (s *session) keep(ctx context.Context, secret *api.Secret) {
	var renewed <-chan *api.RenewOutput
	var over <-chan error
	if secret.Auth.LeaseDuration > 0 { // a root token has no end
		w, err := s.client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
		if err != nil {
			s.log.Error("Vault token cannot be watched", "error", err)
			return
		}
		go w.Start()
		defer w.Stop()
		renewed, over = w.RenewCh(), w.DoneCh()
	}
	for {
		select {
		case <-renewed:
		case <-over:
			return
		case <-s.kick:
			return
		case <-ctx.Done():
			return
		}
	}
}
