package tenancy

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestATenantHoldsHalfOfTheConnectionsAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(10)
		stormy, quiet := id.NewTenant(), id.NewTenant()
		var give []func()
		for range 5 {
			release, err := s.take(t.Context(), stormy)
			if err != nil {
				t.Fatal(err)
			}
			give = append(give, release)
		}
		late, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if _, err := s.take(late, stormy); codeOf(err) != "unavailable" {
			t.Errorf("a sixth: %v", err)
		}
		release, err := s.take(t.Context(), quiet)
		if err != nil {
			t.Errorf("another tenant: %v", err)
		}
		release()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if release, err := s.take(t.Context(), stormy); err == nil {
				release()
			} else {
				t.Errorf("one who waits: %v", err)
			}
		})
		synctest.Wait()
		for _, g := range give {
			g()
		}
		waiting.Wait()
		if len(s.lines) != 0 {
			t.Errorf("%d tenants are remembered with nobody there", len(s.lines))
		}
	})
}
