package tenancy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

type deletionBody struct {
	Tenant      id.Tenant  `json:"tenant_id"`
	Slug        Slug       `json:"slug"`
	State       State      `json:"state"`
	DeleteAfter *time.Time `json:"delete_after"`
	DeletedAt   *time.Time `json:"deleted_at"`
	Inventory   *Inventory `json:"inventory"`
	Receipt     *string    `json:"receipt"`
}

func renderDeletion(d Deletion) deletionBody {
	return deletionBody{d.Tenant, d.Slug, d.State, d.After, d.DeletedAt, d.Inventory, optional(d.Receipt)}
}

// deletionQuery is how a deletion is wanted.
type deletionQuery struct {
	dryRun bool
	grace  time.Duration // zero: now
}

func parseDeletion(r *http.Request) (q deletionQuery, err error) {
	values, err := rest.Query(r)
	if err != nil {
		return q, err
	}
	bad := map[string]string{}
	if text := values.Get("dry_run"); text != "" {
		if q.dryRun = text == "true"; !q.dryRun && text != "false" {
			bad["dry_run"] = "must be true or false"
		}
	}
	if text := values.Get("grace_days"); text != "" {
		days, err := strconv.Atoi(text)
		if q.grace = time.Duration(days) * 24 * time.Hour; err != nil || days < 0 || days > int(maxGrace/(24*time.Hour)) {
			bad["grace_days"] = "must be a whole number from 0 to 365"
		}
	}
	if len(bad) > 0 {
		return q, problem.Fields(bad)
	}
	return q, nil
}

func (p *Platform) remove(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	q, err := parseDeletion(r)
	if err != nil {
		return err
	}
	var d Deletion
	status := http.StatusOK
	switch {
	case q.dryRun:
		d, err = p.Provisioner.Preview(r.Context(), tid)
	case q.grace > 0:
		d, err = p.Provisioner.DeleteLater(r.Context(), by.Actor, tid, q.grace)
		if d.State == Deleting {
			status = http.StatusAccepted
		}
	default:
		d, err = p.Provisioner.Delete(r.Context(), by.Actor, tid)
	}
	p.Directory.Forget(tid) // also where it failed: it may have begun
	if err != nil {
		return err
	}
	return rest.Respond(w, status, renderDeletion(d))
}

func (p *Platform) restore(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := p.Provisioner.Restore(r.Context(), by.Actor, tid); err != nil {
		return err
	}
	return p.respond(w, r, tid)
}
