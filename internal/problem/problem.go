// Package problem is the error vocabulary of the service: what a client is told when an operation does not succeed.
//
// An Error is a kind, a stable code, a safe sentence and a private cause. Kind decides the status, in the one table of
// problem_http.go; code is what clients program against and never changes; message is for people and may be shown to
// anybody; cause is for the log alone and is never rendered.
//
// The boundary: packages return these as plain errors and know nothing of HTTP. Whatever is not an Error in the chain
// becomes "internal" with a fixed sentence, so an error text of Postgres or Vault cannot reach a client by accident.
//
// Traps: functions here return a fresh *Error each time, because callers add causes and details; compare codes with
// Is, never pointers. Do not put a secret into Message, Details or Notices, they are sent.
package problem

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Kind is the class of an error. It decides the HTTP status and nothing else.
type Kind int

// The kinds. The zero value is KindInternal, so that an error built without a kind is a 500 and not an accidental 400.
const (
	KindInternal         Kind = iota // 500: our fault, nothing to be told
	KindInvalid                      // 400: the request is malformed or breaks a rule
	KindUnauthenticated              // 401: no proof, or a proof that does not hold
	KindForbidden                    // 403: proved, but not allowed
	KindNotFound                     // 404: unknown, or another tenant's
	KindMethodNotAllowed             // 405: the path exists, the method does not
	KindConflict                     // 409: the state of the object forbids it
	KindTooLarge                     // 413: the body is over the limit
	KindUnsupportedMedia             // 415: the body is not JSON
	KindThrottled                    // 429: later; RetryAfter says when
	KindUnavailable                  // 503: a dependency is down; RetryAfter says when
)

// Error is what a client is told, plus the cause it is not told.
type Error struct {
	Kind    Kind
	Code    string // stable, snake_case, the contract with clients
	Message string // a safe English sentence, for people
	Details map[string]any
	Notices []string // texts of the Cedar rules that determined a denial

	// RetryAfter is when a repetition makes sense; sent rounded up to whole seconds, at least one, with 429 and 503.
	RetryAfter time.Duration

	// Challenge is the value of WWW-Authenticate on a 401. It is empty where no Authorization header was judged: a
	// login's 401 must not make a browser or an HTTP library believe that the resource wants a bearer token.
	Challenge string

	Cause error // for the log; never rendered
}

// New makes an error without cause or details.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error is the text for the log: code, message and cause. It is not what a client sees.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// With is a copy that carries the cause.
func (e *Error) With(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Detail is a copy with one more member of details.
func (e *Error) Detail(name string, value any) *Error {
	c := *e
	c.Details = maps.Clone(e.Details)
	if c.Details == nil {
		c.Details = make(map[string]any, 1)
	}
	c.Details[name] = value
	return &c
}

// Is reports whether the error a client would be told of carries the code.
func Is(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e != nil && e.Code == code
}
