package audit

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Verification is what the log proves about its last days, as it is now.
type Verification struct {
	Entries int64
	Sealed  time.Time // of the newest seal that was stored; zero: the days have none
	Problem string    // what is wrong, in English; empty: nothing is
}

// VerifyStored verifies a tenant's entries since a moment, where they are: the chain of their hashes, and the seals, by the keys
// that the tenant has published. It is what a file of an export proves (see Verify), without the file: whoever cannot trust
// this service to say so takes the file. Errors: 503.
func (l *Log) VerifyStored(ctx context.Context, t tenancy.Tenant, since time.Time) (Verification, error) {
	e, err := l.Prepare(ctx, t, since, time.Time{})
	if err != nil {
		return Verification{}, err
	}
	trusted := Keys{}
	for _, jwk := range e.keys {
		if err := addKey(trusted, jwk); err != nil {
			return Verification{}, err
		}
	}
	file, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := e.Write(ctx, w)
		written <- err
		_ = w.CloseWithError(err)
	}()
	report, wrong := Verify(file, trusted)
	_ = file.Close() // so that the writer ends, too
	// What could not be read is no fault of the log's, whatever it looked like to the reader.
	if err := <-written; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return Verification{}, err
	}
	var v Verification
	if report.First > 0 {
		v.Entries = report.Last - report.First + 1
	}
	if wrong != nil {
		v.Problem = wrong.Error()
	}
	for _, s := range report.Seals {
		if s.Day != "" { // and not the one that was made for this
			v.Sealed = s.Sealed
		}
	}
	return v, nil
}
