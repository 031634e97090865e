package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// exportPage is how many entries are in memory at once, and on their way while nothing is held in the database.
const exportPage = 500

// Export is a piece of a log that is ready to be written: which entries, and the seal that ends them.
type Export struct {
	log     *Log
	tenant  tenancy.Tenant
	header  headerLine
	keys    []json.RawMessage
	last    Head   // the last entry
	closing string // a seal made for this export, of last; empty where a stored one ends it
}

// Prepare finds the entries from one moment up to another; zero moments do not bound. The piece goes on to the next day's
// seal, or to the newest entry, whose hash is signed now, for a chain proves what is before a signature and nothing that is
// behind. Errors: 503 while Postgres or custody cannot answer.
func (l *Log) Prepare(ctx context.Context, t tenancy.Tenant, from, to time.Time) (*Export, error) {
	now := l.Now().UTC()
	var p piece
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { findPiece(b, from, to, &p) }); err != nil {
		return nil, err
	}
	keys, err := l.Keyring.History(ctx, t)
	if err != nil {
		return nil, err
	}
	e := &Export{log: l, tenant: t, keys: keys, last: p.last,
		header: headerLine{kindHeader, fileFormat, t.ID, p.first, p.before, now.Truncate(time.Second)}}
	if !p.sealed {
		e.closing, err = l.sign(ctx, t, Seal{Tenant: t.ID, Seq: p.last.Seq, Hash: p.last.Hash, Sealed: now.Truncate(time.Second)})
	}
	return e, err
}

// Write writes the file. The log is only added to, so pages read one after the other are of one log.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	lines := bufio.NewWriterSize(w, 64<<10)
	out := json.NewEncoder(lines)
	out.SetEscapeHTML(false)
	if err := out.Encode(e.header); err != nil {
		return err
	}
	for _, k := range e.keys {
		if err := out.Encode(keyLine{kindKey, k}); err != nil {
			return err
		}
	}
	for first := e.header.First; first <= e.last.Seq; first += exportPage {
		if err := e.writePage(ctx, out, first, min(first+exportPage-1, e.last.Seq)); err != nil {
			return err
		}
	}
	if err := out.Encode(endLine{kindEnd, e.last.Seq - e.header.First + 1}); err != nil {
		return err
	}
	return lines.Flush()
}

func (e *Export) writePage(ctx context.Context, out *json.Encoder, first, last int64) error {
	var page []exported
	seals := map[int64]string{}
	err := e.log.DB.InBatch(ctx, e.tenant, func(b *tenancy.Batch) { readPage(b, first, last, &page, seals) })
	if err != nil {
		return err
	}
	for _, x := range page {
		if err := out.Encode(entryLine{kindEntry, x.Seq, Hash(x.Hash), x.Entry}); err != nil {
			return err
		}
		for _, jws := range []string{seals[x.Seq], e.closingOf(x.Seq)} {
			if jws == "" {
				continue
			}
			if err := out.Encode(sealLine{kindSeal, jws}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Export) closingOf(seq int64) string {
	if seq != e.last.Seq {
		return ""
	}
	return e.closing
}
