package custody

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer; the largest, a key of some hundred versions, is under 100 kB.
const maxAnswer = 1 << 20

// client speaks to Vault. It is net/http and structs of ours rather than Vault's own library, which logs in and renews
// (session): we need to know which token was refused, must not follow a redirect with our token in hand, and keep to
// one deadline for all that a call does. It also costs a login a fifth less CPU per call (BenchmarkVaultLibrary).
type client struct {
	base      string // https://host:8200/v1/
	namespace string
	http      *http.Client
	session   *session
}

// refusal is an answer of Vault's other than success. Its text is Vault's and names keys.
type refusal struct {
	kind   error // one of the package's errors, or nil
	status int
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("Vault answered %d: %s", r.status, r.text) }
func (r *refusal) Unwrap() error { return r.kind }

var errConnection = errors.New("no answer from Vault")

// call makes one call within the time given: with one retry if the connection failed, and with a new token if the
// one it had was refused. All calls may be repeated without harm (Rotate leaves a spare version).
func (c *client) call(ctx context.Context, within time.Duration, method, path string, in, out any) error {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := c.withToken(bounded, method, path, in, out)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrUnavailable, method, path, ctx.Err())
	}
	if errors.Is(err, errConnection) {
		return fmt.Errorf("%w: %s %s: %w", ErrUnavailable, method, path, err)
	}
	return fmt.Errorf("custody: %s %s: %w", method, path, err)
}

func (c *client) withToken(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	token, err := c.session.token(ctx)
	if err != nil {
		return err
	}
	err = c.once(ctx, method, path, token, body, out)
	if errors.Is(err, errConnection) && wait(ctx, 10*time.Millisecond+rand.N(40*time.Millisecond)) { //nolint:gosec // jitter is no secret
		// Typically a kept connection whose other end has restarted; if Vault is really away, this fails as fast.
		err = c.once(ctx, method, path, token, body, out)
	}
	if errors.Is(err, ErrDenied) {
		switch fresh, login := c.session.after(ctx, token); {
		case login != nil:
			return login
		case fresh != "":
			err = c.once(ctx, method, path, fresh, body, out)
		}
	}
	return err
}

func (c *client) once(ctx context.Context, method, path, token string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header["X-Vault-Token"] = []string{token}
	req.Header["X-Vault-Request"] = []string{"true"} // asked for by agents and proxies against forged requests
	if c.namespace != "" {
		req.Header["X-Vault-Namespace"] = []string{c.namespace}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %v", errConnection, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: %v", errConnection, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return refused(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%w: unreadable answer: %v", ErrUnavailable, err) // something between us and Vault
	}
	return nil
}

// refused sorts what Vault says. Its status codes do not tell a missing key from a bad request, so its words must:
// the conformance suite, which runs against the real server, fails if they change.
func refused(status int, answer []byte) error {
	var body struct {
		Errors []string `json:"errors"`
	}
	_ = json.Unmarshal(answer, &body)
	r := &refusal{status: status, text: strings.Join(body.Errors, "; ")}
	switch {
	case status == http.StatusForbidden:
		r.kind = ErrDenied
	case body.Errors == nil, strings.Contains(r.text, "no handler for route"):
		// Something between us and Vault, or Vault without our mount. Above all its 404 is not a missing key.
		r.kind = ErrUnavailable
	case missing(status, r.text):
		r.kind = ErrNoKey
	// 3xx: a standby that points elsewhere. 412: a replica that has not caught up with what we have seen.
	case status >= 500, status < 400, status == http.StatusTooManyRequests, status == http.StatusPreconditionFailed:
		r.kind = ErrUnavailable
	}
	return r
}

func missing(status int, text string) bool {
	switch status {
	case http.StatusNotFound:
		return true
	case http.StatusBadRequest, http.StatusInternalServerError:
		for _, words := range []string{
			"key not found", "no existing key", "could not delete key; not found", // no key
			"no such key version", "key version does not exist", "version for signing is", "version is too old", // no version
		} {
			if strings.Contains(text, words) {
				return true
			}
		}
	}
	return false
}
