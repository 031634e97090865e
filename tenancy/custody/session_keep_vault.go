package custody

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/vault/api"
)

// run is the session's own goroutine.
func (s *session) run(ctx context.Context) {
	defer close(s.done)
	pause := time.Duration(0)
	for wait(ctx, pause) {
		secret, err := s.attempt(ctx)
		if err != nil {
			s.log.Warn("Vault login failed", "error", err)
			if errors.Is(loginError(err), ErrDenied) {
				pause = afterDenial(pause)
			} else {
				pause = backOff(pause)
			}
			continue
		}
		s.log.Info("logged in to Vault", "seconds", secret.Auth.LeaseDuration)
		s.keep(ctx, secret)
		// Not at once: a token that is at the end of its life when it is given would have us log in without pause.
		pause = 200 * time.Millisecond
	}
}

// afterDenial tries once more soon, for a role that is just being made, and then seldom. Vault locks an AppRole after five
// wrong logins within a quarter of an hour, for everybody and with the right secret, too: one replica with a wrong secret
// must not take the fleet's login away.
func afterDenial(last time.Duration) time.Duration {
	if last < 10*time.Second {
		return 10 * time.Second
	}
	return 16 * time.Minute
}

func backOff(last time.Duration) time.Duration {
	next := min(max(2*last, 200*time.Millisecond), 3*time.Second)
	return next - rand.N(next/4) //nolint:gosec // jitter is no secret: replicas that lost Vault together do not come back together
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
		case <-over: //nolint:errcheck // why it ended is told by the next login
			return
		case <-s.kick:
			return
		case <-ctx.Done():
			return
		}
	}
}
