package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

type link struct {
	Seq   int64
	Entry string
	Hash  []byte
}

func (tt testTenant) chain(tb testing.TB) []link {
	tb.Helper()
	rows, err := tt.superuser(tb).Query(tb.Context(), `select seq, entry, hash from audit_log order by seq`)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[link])
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func TestFiftyEventsAtOnceAreOneChain(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tenant := tt.record(t)
	before := len(tt.chain(t))
	e := audit.Event{Action: "test.happened", Actor: audit.Actor{Type: audit.BySystem}, At: time.Now()}
	var group errgroup.Group
	for i := range 50 {
		group.Go(func() error {
			if i%2 == 0 {
				return tt.db.InBatch(t.Context(), tenant, func(b *tenancy.Batch) { audit.Queue(t.Context(), b, tenant, e) })
			}
			return tt.db.InTx(t.Context(), tenant, func(ctx context.Context, tx tenancy.Tx) error { return audit.Record(ctx, tx, e) })
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	all := tt.chain(t)
	if len(all) != before+50 {
		t.Fatalf("%d entries, want %d", len(all), before+50)
	}
	hash := make([]byte, sha256.Size)
	for i, l := range all {
		sum := sha256.Sum256(append(hash, l.Entry...))
		if hash = sum[:]; l.Seq != int64(i+1) || !bytes.Equal(l.Hash, hash) {
			t.Fatalf("link %d does not fit", i+1)
		}
	}
}

func TestTheAuditLogCannotBeRewrittenByTheService(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, sql := range []string{`update audit_log set action = 'x'`, `delete from audit_log`, `delete from audit_head`} {
		err := tt.db.InTx(t.Context(), tt.record(t), func(ctx context.Context, tx tenancy.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want permission denied (42501)", sql, err)
		}
	}
}
