package tenancy

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// announcement waits for the next notification. A connection cut without a word (a failed-over server, a dropped NAT
// entry) looks like silence, so silence is broken every few seconds by a question that must be answered.
func announcement(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	quiet, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	n, err := conn.WaitForNotification(quiet)
	if err == nil || quiet.Err() == nil || ctx.Err() != nil {
		return n, err
	}
	ping, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = conn.Exec(ping, "select 1")
	return nil, err
}
