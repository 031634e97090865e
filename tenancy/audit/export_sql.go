package audit

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// piece is a part of the chain: from first, with the hash before it, to last, which a stored seal is of or is not.
type piece struct {
	first  int64
	before Hash
	last   Head
	sealed bool
}

// findPiece finds the entries of a time. Entries that happened at about the same time may stand in another order than by
// their times, so the ends are looked for among a thousand and not in one. A log without entries is a piece of none.
func findPiece(b *tenancy.Batch, from, to time.Time, into *piece) {
	b.Queue(`with newest as (select seq from audit_log order by seq desc limit 1),
		bounds as (select
			case when $1::timestamptz is null then 1 else
				coalesce((select min(seq) from (select seq from audit_log where created_at >= $1 order by created_at, seq limit 1000) f), (select seq + 1 from newest), 1) end as first,
			case when $2::timestamptz is null then coalesce((select seq from newest), 0) else
				coalesce((select max(seq) from (select seq from audit_log where created_at < $2 order by created_at desc, seq desc limit 1000) l), 0) end as wanted),
		anchor as (select case when wanted < first then first - 1
				when $2::timestamptz is null then wanted
				else coalesce((select seq from audit_seals where seq >= wanted order by day limit 1), (select seq from newest)) end as last from bounds)
		select first, (select hash from audit_log where seq = first - 1), last, (select hash from audit_log where seq = last),
			last < first or $2::timestamptz is not null and exists (select from audit_seals where seq = last) from bounds, anchor`, orNull(from), orNull(to)).
		QueryRow(func(row pgx.Row) error {
			var before, last []byte
			err := row.Scan(&into.first, &before, &into.last.Seq, &last, &into.sealed)
			copy(into.before[:], before)
			copy(into.last.Hash[:], last)
			return err
		})
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// exported is an entry as it goes into a file.
type exported struct {
	Seq   int64
	Entry string
	Hash  []byte
}

// readPage reads the entries from first to last, and the seals of their hashes.
func readPage(b *tenancy.Batch, first, last int64, into *[]exported, seals map[int64]string) {
	b.Queue(`select seq, entry, hash from audit_log where seq between $1 and $2 order by seq`, first, last).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[exported])
			return err
		})
	b.Queue(`select seq, jws from audit_seals where seq between $1 and $2`, first, last).Query(func(rows pgx.Rows) error {
		var seq int64
		var jws string
		_, err := pgx.ForEachRow(rows, []any{&seq, &jws}, func() error { seals[seq] = jws; return nil })
		return err
	})
}
