package audit

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Ledger adds entries whose cause is outside the tenant's schema: drafted with the cause, added afterwards.
type Ledger struct {
	// Beside, if not nil, runs when an entry is added, before it is and in the same transaction: once for each entry.
	Beside func(context.Context, tenancy.Tx, Entry) error
}

var _ tenancy.Ledger = Ledger{}

// Draft makes an entry of an event, as Record would now.
func (Ledger) Draft(ctx context.Context, t id.Tenant, e Event) (uuid.UUID, string, error) {
	entry, text, err := newEntry(ctx, t, e)
	return entry.ID, text, err
}

// Append adds a drafted entry, once however often and by however many it is called.
func (l Ledger) Append(ctx context.Context, tx tenancy.Tx, text string) error {
	var e Entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return err
	}
	there, err := isThere(ctx, tx, e)
	if err != nil || there {
		return err
	}
	if l.Beside != nil {
		if err := l.Beside(ctx, tx, e); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, appendEntry, e.args(text)...)
	return err
}
