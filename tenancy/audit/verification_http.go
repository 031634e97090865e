package audit

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	verifiedDays     = 7
	mostVerifiedDays = 90
	verificationTime = 25 * time.Second // less than a connection has to be answered in
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
	v, err := l.VerifyStored(r.Context(), by.Tenant, l.Now().AddDate(0, 0, -b.Days))
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
