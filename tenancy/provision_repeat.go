package tenancy

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// CreateRepeatable is Create for a call that may carry an Idempotency-Key. render makes the answer; it is kept for
// repetition, sealed by the key of sealer, the platform tenant whose administrators make such calls.
//
// Unlike other creating operations this one spans several transactions, so the answer is filed with the reservation,
// before the tenant is usable; whoever repeats the call then completes the tenant before answering.
func (p *Provisioner) CreateRepeatable(ctx context.Context, r *Repeat, sealer Tenant, op Operation, wanted Tenant, render func(Created) any) (json.RawMessage, error) {
	if op.Key == "" {
		c, err := p.create(ctx, op.Actor, wanted, unfiled)
		if err != nil {
			return nil, err
		}
		return json.Marshal(render(c))
	}
	slot := r.slot(sealer, op)
	sealed, err := p.answer(ctx, slot)
	if err != nil {
		return nil, err
	}
	if sealed == "" {
		var body json.RawMessage
		_, err := p.create(ctx, op.Actor, wanted, func(c Created) (_ *filed, err error) {
			if body, err = json.Marshal(render(c)); err != nil {
				return nil, err
			}
			sealed, err := r.seal(ctx, sealer, op, slot, body)
			return &filed{slot, sealed}, err
		})
		if !errors.Is(err, errNotFirst) {
			return body, err
		}
		if sealed, err = p.answer(ctx, slot); err != nil {
			return nil, err
		}
	}
	body, err := r.open(ctx, sealer, op, slot, sealed, nil)
	if err != nil {
		return nil, err
	}
	return body, p.resume(ctx, body)
}

// resume completes the tenant of an answer that was filed before its tenant was usable.
func (p *Provisioner) resume(ctx context.Context, answer json.RawMessage) error {
	var made struct {
		ID id.Tenant `json:"id"`
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return err
	}
	u, err := p.unfinishedByID(ctx, made.ID)
	if errors.Is(err, ErrUnknown) {
		return nil // already usable
	}
	if err != nil {
		return err
	}
	return p.complete(ctx, u.tenant, u.blueprint)
}
