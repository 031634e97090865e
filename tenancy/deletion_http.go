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

// parseDeletion takes nothing for granted: what it passed over would be a tenant deleted now that was to be deleted later, or
// only looked at.
func parseDeletion(r *http.Request) (q deletionQuery, err error) {
	values, err := rest.Query(r)
	if err != nil {
		return q, err
	}
	bad := map[string]string{}
	for name := range values {
		text := values.Get(name)
		switch name {
		case "dry_run":
			if q.dryRun = text == "true"; !q.dryRun && text != "false" {
				bad[name] = "must be true or false"
			}
		case "grace_days":
			days, err := strconv.Atoi(text)
			if err != nil || days < 0 || days > int(maxGrace/(24*time.Hour)) || strconv.Itoa(days) != text {
				bad[name] = "must be a whole number from 0 to 365"
			}
			q.grace = time.Duration(days) * 24 * time.Hour
		default:
			bad[name] = rest.UnknownParameter
		}
	}
	if len(bad) == 0 && q.dryRun && values.Has("grace_days") {
		bad["dry_run"], bad["grace_days"] = "cannot be true with grace_days", "cannot be given with dry_run=true"
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
	if err := rest.NoBody(r); err != nil {
		return err
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

// bare refuses a body and parameters where an operation takes neither.
func bare(r *http.Request) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	return rest.NoQuery(r)
}

func (p *Platform) restore(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := bare(r); err != nil {
		return err
	}
	if err := p.Provisioner.Restore(r.Context(), by.Actor, tid); err != nil {
		return err
	}
	return p.respond(w, r, tid)
}
