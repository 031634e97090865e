package tenancy

import (
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy/relocation"
)

// moveTime is how long a move may take, of which writes are refused for DefaultMaxPause at most. A client that hangs up before
// the switch gives the move up, and the tenant stays where it is.
const moveTime = 2 * time.Minute

type moveRequest struct {
	Database string `json:"database"`
}

// Validate reports bad members.
func (m *moveRequest) Validate() map[string]string {
	if m.Database == "" {
		return map[string]string{"database": "is required"}
	}
	return nil
}

type moveBody struct {
	Tenant id.Tenant `json:"tenant_id"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Rows   int64     `json:"rows"`
	Pause  float64   `json:"pause_seconds"` // for which writes were refused
}

func (p *Platform) move(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	req, err := rest.Decode[moveRequest](r)
	if err != nil {
		return err
	}
	from, err := p.Provisioner.databaseOf(r.Context(), tid)
	if errors.Is(err, ErrUnknown) {
		return problem.NotFound()
	}
	if err != nil {
		return err
	}
	if _, known := p.Provisioner.Placements[req.Database]; !known {
		return problem.Field("database", "is not a database of this installation")
	}
	if from == req.Database { // asked again, it is done
		return rest.Respond(w, http.StatusOK, moveBody{Tenant: tid, From: from, To: from})
	}
	moved, err := p.Provisioner.Move(r.Context(), by.Actor, tid, req.Database, MoveOptions{})
	switch {
	case errors.Is(err, ErrUnknown):
		return problem.NotFound()
	case errors.Is(err, ErrMoving), errors.Is(err, ErrMoveLost):
		return problem.New(problem.KindConflict, "move_under_way", "This tenant is being moved or migrated already.").With(err)
	case errors.Is(err, relocation.ErrBusy):
		return problem.Unavailable(time.Minute, err)
	case err != nil:
		return err
	}
	return rest.Respond(w, http.StatusOK, moveBody{tid, moved.From, moved.To, moved.Rows, moved.Pause.Seconds()})
}
