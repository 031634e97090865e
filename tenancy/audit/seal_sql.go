package audit

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// dueSeal is what there is to seal for a day: the last entry before its end, the newest seal, and what now stands where
// that seal says its hash is.
type dueSeal struct {
	head    Head
	lastDay string
	last    Head
	stillIs Hash
}

func readDue(b *tenancy.Batch, end time.Time, into *dueSeal) {
	b.Queue(`select coalesce(l.seq, 0), coalesce(l.hash, ''), coalesce(s.day::text, ''), coalesce(s.seq, 0), coalesce(s.hash, ''),
			coalesce((select hash from audit_log where seq = s.seq), '')
		from (select) one
		left join (select seq, hash from audit_log where created_at < $1 order by created_at desc, seq desc limit 1) l on true
		left join (select day, seq, hash from audit_seals order by day desc limit 1) s on true`, end).
		QueryRow(func(row pgx.Row) error {
			var head, last, stillIs []byte
			err := row.Scan(&into.head.Seq, &head, &into.lastDay, &into.last.Seq, &last, &stillIs)
			copy(into.head.Hash[:], head)
			copy(into.last.Hash[:], last)
			copy(into.stillIs[:], stillIs)
			return err
		})
}

// insertSeal files a day's seal, once. The race: two replicas have both seen the day without one and both signed. What they
// signed is equally true; the first row stays.
func insertSeal(b *tenancy.Batch, s Seal, jws string) {
	b.Queue(`insert into audit_seals (day, seq, hash, jws) values ($1::text::date, $2, $3, $4) on conflict (day) do nothing`, s.Day, s.Seq, s.Hash[:], jws)
}
