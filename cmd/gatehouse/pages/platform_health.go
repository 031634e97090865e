package pages

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// fleet is how the databases stand.
type fleet struct {
	Version   int             `json:"schema_version"`
	Databases []fleetDatabase `json:"databases"`
}

// fleetDatabase is one of them.
type fleetDatabase struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Capacity *int   `json:"capacity"`
	Tenants  int    `json:"tenants"`
	Behind   int    `json:"behind"`
	Versions []struct {
		Version int `json:"schema_version"`
		Tenants int `json:"tenants"`
	} `json:"versions"`
	Busiest []struct {
		Tenant  string `json:"tenant_id"`
		Slug    string `json:"slug"`
		Running int    `json:"running"`
		Waiting int    `json:"waiting"`
	} `json:"busiest"`
}

// takes reports whether the database is there and has room.
func (d fleetDatabase) takes() bool {
	return d.State == "serving" && d.Capacity != nil && d.Tenants < *d.Capacity
}

// Behind is how many tenants lack a migration.
func (f fleet) Behind() (n int) {
	for _, d := range f.Databases {
		n += d.Behind
	}
	return n
}

// Busy reports whether any tenant wants something at this moment.
func (f fleet) Busy() bool {
	for _, d := range f.Databases {
		if len(d.Busiest) > 0 {
			return true
		}
	}
	return false
}

func (v *visit) fleet() (f fleet, err error) {
	err = v.get("/v1/fleet", nil, &f)
	return f, err
}

// readiness is what the service says of its dependencies.
type readiness struct {
	Postgres string `json:"postgres"`
	Custody  string `json:"custody"`
	Mail     string `json:"mail"`   // of one that is ready
	Server   string `json:"server"` // of one that is about to end
}

// readiness asks as a load balancer does. That it is not ready is an answer, too.
func (v *visit) readiness() (readiness, error) {
	a := rest.Inner{Method: http.MethodGet, Path: "/readyz"}.Do(v.p.API, v.r)
	var said struct {
		readiness
		Details readiness `json:"details"`
	}
	if err := json.Unmarshal(a.Body.Bytes(), &said); err != nil {
		return readiness{}, fmt.Errorf("pages: readiness, %d: %w", a.Status, err)
	}
	if a.Status == http.StatusOK {
		return said.readiness, nil
	}
	return said.Details, nil
}

// healthPage is how the service stands.
type healthPage struct {
	Ready readiness
	Fleet *fleet // nil where the directory cannot be asked
}

// fleetHealth shows what can be found out. While the directory is away the page is wanted most.
func (v *visit) fleetHealth() error {
	f, err := v.fleet()
	if e := refused(err); err != nil && (e == nil || e.Status < http.StatusInternalServerError) {
		return err
	}
	page := healthPage{Fleet: &f}
	if err != nil {
		page.Fleet = nil
	}
	if page.Ready, err = v.readiness(); err != nil {
		return err
	}
	return v.show("platform-health", page)
}
