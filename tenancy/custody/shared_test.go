package custody_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/custody/custodytest"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// What is shared still keeps the contract.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	custodytest.Run(t, func(t *testing.T) (custody.Custodian, custody.Keymaster) {
		return custody.Share(openSoftware(t, dir), 4, time.Minute), openSoftware(t, dir)
	})
}

// hanging answers for all tenants but one only when it is told to.
type hanging struct {
	custody.Custodian
	quiet  id.Tenant
	answer chan struct{}
}

func (h hanging) Sign(_ context.Context, t id.Tenant, _ custody.SigningKey, _ []byte) ([]byte, error) {
	if t != h.quiet {
		<-h.answer
	}
	return nil, nil
}

// A tenant's storm waits for itself and is throttled, and another tenant's call goes through at once.
func TestAStormOnCustodyIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		stormy, quiet := id.NewTenant(), id.NewTenant()
		c := custody.Share(hanging{quiet: quiet, answer: answer}, 4, time.Second)
		errs := make(chan error, 500)
		var storm sync.WaitGroup
		sign := func(ctx context.Context, of id.Tenant) error {
			_, err := c.Sign(ctx, of, custody.SigningKey{}, nil)
			return err
		}
		for range cap(errs) {
			storm.Go(func() { errs <- sign(t.Context(), stormy) })
		}
		synctest.Wait()
		refused := len(errs)
		if refused == 0 {
			t.Error("all are taken")
		}
		if err := sign(t.Context(), quiet); err != nil {
			t.Errorf("another tenant: %v", err)
		}
		time.Sleep(2 * time.Second) // the others in line have waited long enough
		close(answer)
		storm.Wait()
		close(errs)
		answered := 0
		for err := range errs {
			switch {
			case err == nil:
				answered++
			case !errors.Is(err, custody.ErrUnavailable) || !errors.Is(err, fairshare.ErrBusy) || !problem.Is(err, "rate_limited"):
				t.Errorf("one of the storm is told %v", err)
			}
		}
		if answered != 2 { // those that were under way
			t.Errorf("%d of the storm were answered", answered)
		}
	})
}
