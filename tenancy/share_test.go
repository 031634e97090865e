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
		s := newShare(10)
		stormy, quiet := id.NewTenant(), id.NewTenant()
		var give []func()
		for range 5 {
			release, err := s.Enter(t.Context(), stormy)
			if err != nil {
				t.Fatal(err)
			}
			give = append(give, release)
		}
		late, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if _, err := s.Enter(late, stormy); codeOf(classify(late, err)) != "unavailable" {
			t.Errorf("a sixth: %v", err)
		}
		release, err := s.Enter(t.Context(), quiet)
		if err != nil {
			t.Fatalf("another tenant: %v", err)
		}
		release()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if release, err := s.Enter(t.Context(), stormy); err == nil {
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
	})
}

// A storm is told that it is one, and costs the others nothing.
func TestAStormOnTheConnectionsIsThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShare(4)
		stormy, end := id.NewTenant(), make(chan struct{})
		var storm sync.WaitGroup
		codes := make(chan string, 1000)
		for range cap(codes) {
			storm.Go(func() {
				release, err := s.Enter(t.Context(), stormy)
				if err != nil {
					codes <- codeOf(err)
					return
				}
				<-end
				release()
			})
		}
		synctest.Wait()
		if len(codes) == 0 {
			t.Error("a thousand at once are all taken")
		}
		for range len(codes) {
			if code := <-codes; code != "rate_limited" {
				t.Errorf("one of a storm is told %s", code)
			}
		}
		if release, err := s.Enter(t.Context(), id.NewTenant()); err == nil {
			release()
		} else {
			t.Errorf("another tenant: %v", err)
		}
		close(end)
		storm.Wait()
	})
}
