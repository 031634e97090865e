package tenancy

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// keep is how long an Idempotency-Key is honoured.
const keep = 24 * time.Hour

// Operation names one call of a creating operation for [Repeat].
type Operation struct {
	Name    string // method and path template
	By      string // who calls: an answer may hold a secret, and is repeated to nobody else
	Actor   Actor  // the same, for the audit log
	Key     string // the Idempotency-Key; empty: the call is not repeatable
	Request any    // what was asked, to recognise the same key with another body
}

// Repeat makes creating operations safe to send again: the same Idempotency-Key with the same body is answered alike
// for 24 hours, and ten calls at once create once.
//
// What is created and the answer to it are written in one transaction, so there is no moment in which one is there
// without the other. Answers may hold a secret shown once, and a request may hold a password, so what is stored is
// sealed by the tenant's key and bound to tenant, operation, caller and key.
type Repeat struct {
	db   *DB
	keys custody.Custodian
	now  func() time.Time
}

// NewRepeat makes a Repeat.
func NewRepeat(db *DB, keys custody.Custodian, now func() time.Time) *Repeat {
	return &Repeat{db: db, keys: keys, now: now}
}

// Create answers a creating operation in the tenant's schema. prepare runs only when there is no answer yet; it does
// what must not happen inside a transaction and returns the answer and the write that makes it true. Errors: 409
// idempotency_conflict, and what prepare and write return.
func (r *Repeat) Create(ctx context.Context, t Tenant, op Operation,
	prepare func(context.Context) (answer any, write func(context.Context, Tx) error, err error),
) (json.RawMessage, error) {
	return create(ctx, r, t, op, prepare, func(ctx context.Context, fn func(context.Context, Tx) error) error {
		return r.db.InTx(ctx, t, fn)
	})
}

// createInDirectory is Create for what is kept in the platform's directory.
func (r *Repeat) createInDirectory(ctx context.Context, t Tenant, op Operation,
	prepare func(context.Context) (any, func(context.Context, directoryTx) error, error),
) (json.RawMessage, error) {
	return create(ctx, r, t, op, prepare, r.db.inDirectory)
}

func create[T querier](ctx context.Context, r *Repeat, t Tenant, op Operation,
	prepare func(context.Context) (any, func(context.Context, T) error, error),
	in func(context.Context, func(context.Context, T) error) error,
) (json.RawMessage, error) {
	slot := r.slot(t, op)
	if op.Key != "" {
		var sealed string
		err := in(ctx, func(ctx context.Context, tx T) (err error) { sealed, err = readAnswer(ctx, tx, slot); return err })
		if err != nil || sealed != "" {
			return r.open(ctx, t, op, slot, sealed, err)
		}
	}
	answer, write, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	if op.Key == "" {
		return body, in(ctx, write)
	}
	sealed, err := r.seal(ctx, t, op, slot, body)
	if err != nil {
		return nil, err
	}
	var earlier string
	err = in(ctx, func(ctx context.Context, tx T) (err error) {
		// The race: two calls with one key both found no answer. Whoever inserts first holds the row until commit; the
		// other waits here, inserts nothing and gives the first one's answer.
		if earlier, err = claimAnswer(ctx, tx, slot, sealed); err != nil || earlier != "" {
			return err
		}
		return write(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	if earlier != "" {
		return r.open(ctx, t, op, slot, earlier, nil)
	}
	return body, nil
}

// slot is where the answer of one key is kept.
type slot struct {
	scope   string
	keyHash []byte
	now     time.Time
}

func (r *Repeat) slot(t Tenant, op Operation) slot {
	h := sha256.Sum256([]byte(op.Key))
	return slot{t.ID.String() + " " + op.Name + " by " + op.By, h[:], r.now()}
}

func (s slot) associated() []byte { return append([]byte("idempotency "+s.scope+" "), s.keyHash...) }

// kept is what is sealed: the answer, and the request it answers.
type kept struct {
	Request [sha256.Size]byte `json:"request"`
	Answer  json.RawMessage   `json:"answer"`
}

func (r *Repeat) seal(ctx context.Context, t Tenant, op Operation, s slot, body json.RawMessage) (string, error) {
	request, err := json.Marshal(op.Request)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(kept{sha256.Sum256(request), body})
	if err != nil {
		return "", err
	}
	sealed, err := r.keys.Seal(ctx, t.ID, plain, s.associated())
	return sealed, KeysError(err)
}

func (r *Repeat) open(ctx context.Context, t Tenant, op Operation, s slot, sealed string, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	plain, err := r.keys.Open(ctx, t.ID, sealed, s.associated())
	if err != nil {
		return nil, KeysError(err)
	}
	var k kept
	if err := json.Unmarshal(plain, &k); err != nil {
		return nil, err
	}
	request, err := json.Marshal(op.Request)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(request) != k.Request {
		return nil, problem.New(problem.KindConflict, "idempotency_conflict", "This Idempotency-Key was used with another request.")
	}
	return k.Answer, nil
}

// KeysError turns custody that cannot answer now into 503 unavailable: a permission that was taken away is an
// operator's fault to mend and not the client's. So are keys that are gone; of a tenant that is being deleted the next request
// is told that there is nothing here. A tenant that asks it for more than its share stays throttled.
func KeysError(err error) error {
	if errors.Is(err, fairshare.ErrBusy) {
		return err
	}
	if errors.Is(err, custody.ErrUnavailable) || errors.Is(err, custody.ErrDenied) || errors.Is(err, custody.ErrNoKey) {
		return problem.Unavailable(2*time.Second, err)
	}
	return err
}
