package tenancy

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// PlatformFleet tells administrators of the platform how its databases stand. It reads with the serving role alone, which may
// not see why a migration failed: gatehouse migrate status does.
type PlatformFleet struct {
	DB         *DB
	Directory  *Directory
	Placements map[string]Placement
}

// Mount adds the operation.
func (p *PlatformFleet) Mount(r *mux.Router, g Guard) {
	r.Handle("/v1/fleet", rest.Methods{http.MethodGet: g.Platform("tenants:read", p.show)})
}

// busiest is how many tenants of a database are told.
const busiest = 10

type fleetBody struct {
	Version   int                 `json:"schema_version"`
	Databases []fleetDatabaseBody `json:"databases"`
}

type fleetDatabaseBody struct {
	Name     string             `json:"name"`
	State    string             `json:"state"`
	Capacity *int               `json:"capacity"`
	Tenants  int                `json:"tenants"`
	Behind   int                `json:"behind"`
	Versions []fleetVersionBody `json:"versions"`
	Busiest  []fleetDemandBody  `json:"busiest"`
}

type fleetVersionBody struct {
	Version int `json:"schema_version"`
	Tenants int `json:"tenants"`
}

type fleetDemandBody struct {
	Tenant  id.Tenant `json:"tenant_id"`
	Slug    Slug      `json:"slug"`
	Running int       `json:"running"`
	Waiting int       `json:"waiting"`
}

func (p *PlatformFleet) show(w http.ResponseWriter, r *http.Request, _ Admitted) error {
	held, versions, err := p.Directory.Fleet(r.Context())
	if err != nil {
		return err
	}
	body := fleetBody{Version: migrations.LatestTenant, Databases: []fleetDatabaseBody{}}
	states := p.states(r.Context(), held)
	for _, name := range slices.Sorted(maps.Keys(states)) {
		d := fleetDatabaseBody{Name: name, State: states[name], Tenants: held[name], Versions: []fleetVersionBody{}, Busiest: p.busiest(r.Context(), name)}
		if place, ok := p.Placements[name]; ok {
			d.Capacity = &place.Capacity
		}
		d.count(versions)
		body.Databases = append(body.Databases, d)
	}
	return rest.Respond(w, http.StatusOK, body)
}

// count takes what is the database's of all counts.
func (b *fleetDatabaseBody) count(versions []VersionCount) {
	for _, n := range versions {
		if n.Database != b.Name {
			continue
		}
		b.Versions = append(b.Versions, fleetVersionBody{n.Version, n.Tenants})
		if n.Version < migrations.LatestTenant {
			b.Behind += n.Tenants
		}
	}
}

// states asks all databases at once whether they are there, so that several that hang cost no more than one. One that holds
// tenants and is not configured here is told too: its tenants are answered with 503 by this replica.
func (p *PlatformFleet) states(ctx context.Context, held map[string]int) map[string]string {
	states := map[string]string{}
	for name := range held {
		states[name] = "unknown"
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name := range p.Placements {
		all.Go(func() {
			state := "serving"
			if p.DB.Away(ctx, name) {
				state = "away"
			}
			mu.Lock()
			defer mu.Unlock()
			states[name] = state
		})
	}
	all.Wait()
	return states
}

// busiest are those of one database by name; whoever was deleted meanwhile, or cannot be looked up just now, is left out: the rest is worth
// seeing without them.
func (p *PlatformFleet) busiest(ctx context.Context, database string) []fleetDemandBody {
	all := []fleetDemandBody{}
	for _, d := range p.DB.Busiest(database, busiest) {
		if t, err := p.Directory.ByID(ctx, d.Tenant); err == nil {
			all = append(all, fleetDemandBody{t.ID, t.Slug, d.Running, d.Waiting})
		}
	}
	return all
}
