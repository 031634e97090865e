package tenancy

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// transient are the SQLSTATEs of a server that is going down, coming up, full, or too busy within our own limits.
func transient(code string) bool {
	switch code {
	case pgerrcode.QueryCanceled, pgerrcode.LockNotAvailable, pgerrcode.DeadlockDetected, pgerrcode.SerializationFailure,
		pgerrcode.ReadOnlySQLTransaction:
		return true
	}
	return pgerrcode.IsConnectionException(code) || pgerrcode.IsInsufficientResources(code) || pgerrcode.IsOperatorIntervention(code)
}

// away reports what classify has found to be a database that cannot answer now.
func away(err error) bool {
	p, ok := errors.AsType[*problem.Error](err)
	return ok && p.Kind == problem.KindUnavailable
}

// roleRefused reports a connection that may not take on a role. Any other 42501, as of a table, is a fault of ours.
func roleRefused(err error) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && p.Code == pgerrcode.InsufficientPrivilege && p.Routine == "call_string_check_hook" // of a setting
}

// broken reports a connection that was lost underneath a statement.
func broken(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n)
}

// Violates reports whether err is a breach of the named constraint or unique index. Store functions turn it into the
// error their callers know.
func Violates(err error, constraint string) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && p.ConstraintName == constraint
}
