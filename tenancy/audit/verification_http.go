package audit

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	verifiedDays     = 7
	mostVerifiedDays = 90
	verificationTime = 25 * time.Second
	answerTime       = 5 * time.Second // that is left to say that it took too long
)

type verificationBody struct {
	Verified      bool       `json:"verified"`
	Problem       *string    `json:"problem"`
	Days          int        `json:"days"`
	Entries       int64      `json:"entries"`
	SealedThrough *time.Time `json:"sealed_through"`
}

func (l *Log) verification(w http.ResponseWriter, r *http.Request, by tenancy.Admitted) error {
	q, err := rest.Query(r)
	if err != nil {
		return err
	}
	b := verificationBody{Days: verifiedDays}
	bad := map[string]string{}
	for name := range q {
		if name != "days" {
			bad[name] = rest.UnknownParameter
		}
	}
	if q.Has("days") {
		if b.Days, err = strconv.Atoi(q.Get("days")); err != nil || b.Days < 1 || b.Days > mostVerifiedDays {
			bad["days"] = "must be a whole number from 1 to " + strconv.Itoa(mostVerifiedDays)
		}
	}
	if len(bad) > 0 {
		return problem.Fields(bad)
	}
	leave, err := verifying.enter(by.Tenant.ID)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), verificationTime)
	defer cancel()
	v, err := l.VerifyStored(ctx, by.Tenant, l.Now().AddDate(0, 0, -b.Days))
	if err != nil {
		return err
	}
	b.Verified, b.Entries = v.Problem == "", v.Entries
	if v.Problem != "" {
		b.Problem = &v.Problem
	}
	if !v.Sealed.IsZero() {
		sealed := v.Sealed.UTC()
		b.SealedThrough = &sealed
	}
	return rest.Respond(w, http.StatusOK, b)
}

// verifying are those that run in this process, whichever Log they are of.
var verifying rounds

// rounds are verifications that run: one of a tenant at a time, for each reads the log from end to end, and few of all.
type rounds struct {
	mu sync.Mutex
	of map[id.Tenant]bool
}

const mostRounds = 2

// enter begins one. Errors: 429 while another of the tenant runs; 503 while as many run as may.
func (r *rounds) enter(t id.Tenant) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.of[t]:
		return nil, problem.RateLimited(answerTime)
	case len(r.of) >= mostRounds:
		return nil, problem.Unavailable(answerTime, nil)
	case r.of == nil:
		r.of = map[id.Tenant]bool{}
	}
	r.of[t] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.of, t)
	}, nil
}
