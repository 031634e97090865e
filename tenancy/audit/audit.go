// Package audit keeps, for each tenant, what happened in it: every security event once, in the transaction that makes it
// happen, in a log that can only be added to.
//
//	cause --Record--> entry --sha256(hash before, entry)--> audit_log, audit_head
//	                                                                      |
//	                            a day has ended --Sealer--> audit_seals   | signed with the tenant's own key
//	                                                                      |
//	                       who may read it <--Log.List, Log.Export--------' --> a file that Verify checks
//
// The log is a chain of hashes, so nothing can be taken out of its middle or altered without every later hash telling. By
// itself that says little, for whoever can write the tables could make the whole chain again; what cannot be made again are
// the signatures over each day's head that somebody else has kept.
//
// What an entry holds outlives the people it is about, because it can be neither changed nor taken out. So it names them by
// id alone: no address, no name, and of a client's network address only the network.
//
// Traps. Whoever adds an entry holds the newest link of the tenant's chain until commit, so entries are the last statement
// of a transaction: what comes after is waited for by everybody, and two transactions that hold something else each and
// then the chain cannot wait for each other. A refusal that is to be kept must be committed (see tenancy.DB.InTx).
package audit

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// What an event is made of is tenancy's to say, for things happen there too.
type (
	Event     = tenancy.Event
	Actor     = tenancy.Actor
	ActorType = tenancy.ActorType
	Action    = tenancy.Action
)

// Kinds of caller.
const (
	ByUser      = tenancy.ByUser
	ByAPIKey    = tenancy.ByAPIKey
	ByPlatform  = tenancy.ByPlatform
	ByOperator  = tenancy.ByOperator
	BySystem    = tenancy.BySystem
	ByAnonymous = tenancy.ByAnonymous
)

// Entry is an event as it is kept. Its JSON, with members in this order and without spaces, is what the chain is made of.
type Entry struct {
	ID           uuid.UUID      `json:"id"`
	Tenant       id.Tenant      `json:"tenant_id"`
	Action       Action         `json:"action"`
	ActorType    ActorType      `json:"actor_type"`
	ActorID      *string        `json:"actor_id"`
	ResourceType *string        `json:"resource_type"`
	ResourceID   *string        `json:"resource_id"`
	Metadata     map[string]any `json:"metadata"`
	CreatedAt    time.Time      `json:"created_at"`
}

// newEntry adds to an event what the request says of itself: its id, and the network it came from.
func newEntry(ctx context.Context, t id.Tenant, e Event) (Entry, string, error) {
	m := map[string]any{}
	maps.Copy(m, e.Metadata)
	if !withheld(e.Actor.Type) {
		if r := rest.RequestID(ctx); r != "" {
			m["request_id"] = r
		}
		if n := network(rest.ClientIP(ctx)); n.IsValid() {
			m["network"] = n.String()
		}
	}
	entry := Entry{
		ID: uuid.Must(uuid.NewV7()), Tenant: t, Action: e.Action, ActorType: e.Actor.Type, ActorID: nullable(e.Actor.ID),
		ResourceType: nullable(e.ResourceType), ResourceID: nullable(e.ResourceID), Metadata: m,
		CreatedAt: e.At.UTC().Truncate(time.Microsecond),
	}
	text, err := json.Marshal(entry)
	return entry, string(text), err
}

// withheld reports whether an entry says nothing of the request that caused it. Who of the platform it was is not told to the
// tenant, and where they were would tell it; what the service does by itself may follow from a request of theirs.
func withheld(by ActorType) bool { return by == ByPlatform || by == BySystem }

// network is what is kept of an address: enough to see where somebody came from, too little to name a household.
func network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address
	return p
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Record adds an event to the log of the transaction's tenant. It is the transaction's last statement, but for others of
// its kind.
func Record(ctx context.Context, tx tenancy.Tx, e Event) error {
	entry, text, err := newEntry(ctx, tx.Tenant().ID, e)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, appendEntry, entry.args(text)...)
	return err
}

// Queue is Record for a batch of the tenant t, of which it is the last statement.
func Queue(ctx context.Context, b *tenancy.Batch, t tenancy.Tenant, e Event) {
	QueueIf(ctx, b, t, e, `true`)
}

// QueueIf is Queue where a condition holds: SQL about what the batch's earlier statements wrote. Its placeholders begin at
// $9. What others write meanwhile it may not see: it is asked before the newest link is waited for.
func QueueIf(ctx context.Context, b *tenancy.Batch, t tenancy.Tenant, e Event, condition string, args ...any) {
	entry, text, err := newEntry(ctx, t.ID, e)
	if err != nil {
		b.Fail(err)
		return
	}
	b.Queue(appendEntryIf(condition), append(entry.args(text), args...)...)
}
