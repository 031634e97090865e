package problem

import (
	"context"
	"errors"
	"os"
	"time"
)

// From finds the Error in the chain of err, or makes the one that fits; nil stays nil.
//
// A deadline that passed is a dependency that did not answer: 503, never 401, so that an outage cannot be mistaken for a
// wrong password. A cancelled context is the client hanging up (or the server going down); nobody reads the answer, but
// if somebody does (a proxy that cancelled one attempt), "try again" is the truth. Anything else is ours: 500.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if e == nil { // a nil *Error returned as an error: a bug, but not a reason to crash or to call it a success
			return Internal(errors.New("problem: nil *Error"))
		}
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable(time.Second, err)
	}
	return Internal(err)
}
