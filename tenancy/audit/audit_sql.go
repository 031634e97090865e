package audit

import (
	"context"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// appendEntry takes the newest link, which locks it until commit, makes the next one of it and writes the entry. Two at
// once wait for each other there, and the second makes its link of the first's.
var appendEntry = appendEntryIf(`true`)

func appendEntryIf(condition string) string {
	return `with head as (
			update audit_head set seq = seq + 1, hash = sha256(hash || convert_to($1, 'UTF8')) where ` + condition + ` returning seq, hash
		)
		insert into audit_log (seq, entry, hash, id, action, actor_type, actor_id, resource_type, resource_id, created_at)
		select seq, $1, hash, $2, $3, $4, $5, $6, $7, $8 from head`
}

func (e Entry) args(text string) []any {
	return []any{text, [16]byte(e.ID), string(e.Action), string(e.ActorType), e.ActorID, e.ResourceType, e.ResourceID, e.CreatedAt}
}

// isThere looks for an entry by its id, among those of its object. The race: two replicas deliver the same entry. The newest
// link is taken first, in a statement of its own, so whoever comes second looks when the first has committed; a condition in
// one statement with the lock would look through the eyes of a moment before.
func isThere(ctx context.Context, tx tenancy.Tx, e Entry) (there bool, err error) {
	var seq int64
	if err := tx.QueryRow(ctx, `select seq from audit_head for update`).Scan(&seq); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, `select exists (select from audit_log where resource_id = $1 and id = $2)`, e.ResourceID, [16]byte(e.ID)).Scan(&there)
	return there, err
}
