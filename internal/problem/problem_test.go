package problem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"
)

func TestFromNeverLetsAForeignErrorSpeak(t *testing.T) {
	secret := errors.New(`pq: duplicate key value violates unique constraint "users_email"`)
	for _, c := range []struct {
		name string
		err  error
		kind Kind
		code string
	}{
		{"a problem stays what it is", TenantMismatch(), KindForbidden, "tenant_mismatch"},
		{"a wrapped problem is found", fmt.Errorf("login: %w", InvalidCredentials()), KindUnauthenticated, "invalid_credentials"},
		{"a joined problem is found", errors.Join(io.EOF, NotFound()), KindNotFound, "not_found"},
		{"an unknown error is internal", secret, KindInternal, "internal"},
		{"a nil *Error is internal and no crash", (*Error)(nil), KindInternal, "internal"},
		{"a passed deadline is a dependency that is down", fmt.Errorf("query: %w", context.DeadlineExceeded), KindUnavailable, "unavailable"},
		{"so is one of the network", os.ErrDeadlineExceeded, KindUnavailable, "unavailable"},
		{"a client that hung up may try again", context.Canceled, KindUnavailable, "unavailable"},
		{"a problem caused by a deadline keeps its own kind", NotFound().With(context.DeadlineExceeded), KindNotFound, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := From(c.err)
			if e.Kind != c.kind || e.Code != c.code {
				t.Errorf("got %d %s, want %d %s", e.Kind, e.Code, c.kind, c.code)
			}
		})
	}
	if From(nil) != nil {
		t.Error("no error became one")
	}
	if !errors.Is(From(secret), secret) {
		t.Error("the cause is lost to the log")
	}
}

func TestWithAndDetailLeaveTheOriginalAlone(t *testing.T) {
	a := Field("email", "is required")
	b := a.With(io.EOF).Detail("hint", "x")
	if a.Cause != nil || len(a.Details) != 1 {
		t.Errorf("the original changed: %+v", a)
	}
	if !errors.Is(b, io.EOF) || len(b.Details) != 2 {
		t.Errorf("the copy lacks something: %+v", b)
	}
}

func TestIsComparesCodes(t *testing.T) {
	if !Is(fmt.Errorf("x: %w", NotFound()), "not_found") || Is(NotFound(), "forbidden") || Is(io.EOF, "internal") || Is(nil, "") {
		t.Error("Is does not compare codes")
	}
}

func TestTheTextForTheLogHasTheCause(t *testing.T) {
	got := Unavailable(time.Second, errors.New("vault: sealed")).Error()
	want := "unavailable: The service cannot do this right now. Please try again shortly.: vault: sealed"
	if got != want {
		t.Errorf("got %q", got)
	}
}
