package audit

import (
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// An export may take long, for a log is long; a client that takes nothing for exportStall is given up.
const (
	exportTime  = time.Hour
	exportStall = 30 * time.Second
)

// export answers with a file, whose last line tells the client that it is whole: what fails on the way cuts the connection.
func (l *Log) export(w http.ResponseWriter, r *http.Request, by tenancy.Admitted) error {
	q, err := rest.Query(r)
	if err != nil {
		return err
	}
	bad := map[string]string{}
	for name := range q {
		if name != "from" && name != "to" {
			bad[name] = "is not a parameter of this operation: a chain with entries left out proves nothing"
		}
	}
	if len(bad) > 0 {
		return problem.Fields(bad)
	}
	f, err := parseFilter(q)
	if err != nil {
		return err
	}
	e, err := l.Prepare(r.Context(), by.Tenant, f.From, f.To)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="audit-log-`+string(by.Tenant.Slug)+`.ndjson"`)
	out := &patient{w, http.NewResponseController(w)}
	return e.Write(r.Context(), out)
}

// patient moves the deadline of the connection with each line that was taken.
type patient struct {
	http.ResponseWriter

	c *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.c.SetWriteDeadline(time.Now().Add(exportStall)) // a test's recorder has none to move
	return p.ResponseWriter.Write(b)
}
