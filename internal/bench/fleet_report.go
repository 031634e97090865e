package main

import (
	"fmt"
	"math"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/bench/plot"
)

// fleetReport is what tenants.json holds.
type fleetReport struct {
	Machine   machineFacts      `json:"machine"`
	Began     time.Time         `json:"began"`
	Seconds   int               `json:"seconds"`
	Sizes     []sizeOfFleet     `json:"sizes"`
	Soak      *soakFigures      `json:"soak,omitempty"`
	Crashes   []crashFigures    `json:"crashes,omitempty"`
	Migration *migrationFigures `json:"migration,omitempty"`
	Goals     []goal            `json:"goals"`
}

// sizeOfFleet is what was measured at one number of tenants.
type sizeOfFleet struct {
	Tenants   int              `json:"tenants"`
	Databases int              `json:"databases"`
	Clusters  int              `json:"clusters"`
	Create    []createFigures  `json:"create"`
	Start     timing           `json:"start"`
	Memory    serverMemory     `json:"server_memory"`
	Met       metFigures       `json:"server_memory_per_tenant"`
	Postgres  databaseMemory   `json:"postgres_memory"` // after the visits
	First     float64          `json:"first_login_p50_ms"`
	Visits    []visitFigures   `json:"visits"`
	Catalogs  []catalogFigures `json:"catalogs"`
}

// visits are those of an action by so many clients, tenants chosen in one way; zero figures if there are none.
func (s sizeOfFleet) visits(action string, how visited, clients int) visitFigures {
	for _, v := range s.Visits {
		if v.Action == action && v.Visited == how && v.Clients == clients {
			return v
		}
	}
	return visitFigures{}
}

// create are the figures of one way to make tenants; zero figures if there are none.
func (s sizeOfFleet) create(ready bool, creators int) createFigures {
	for _, c := range s.Create {
		if c.Ready == ready && c.Creators == creators {
			return c
		}
	}
	return createFigures{}
}

// catalog sums over databases.
func (s sizeOfFleet) catalog() (sum catalogFigures) {
	for _, c := range s.Catalogs {
		sum.Catalogs, sum.Class, sum.Attribute, sum.Index = sum.Catalogs+c.Catalogs, sum.Class+c.Class, sum.Attribute+c.Attribute, sum.Index+c.Index
		sum.Depend, sum.Statistic, sum.Relations = sum.Depend+c.Depend, sum.Statistic+c.Statistic, sum.Relations+c.Relations
		sum.Whole, sum.Files = sum.Whole+c.Whole, sum.Files+c.Files
	}
	return sum
}

var actionNames = []string{"login", "refresh", "JWKS"}

// The promises to whoever has many tenants.
const (
	mostOverOne    = 1.2
	mostCreate     = 200  // ms, tables and all
	mostClaim      = 50   // ms, of a blank schema
	mostStart      = 2000 // ms
	mostPerTenant  = 2048 // bytes
	mostMigration  = 60   // s
	mostNothing    = 1    // s
	mostAfterCrash = 10   // s
)

func (r *fleetReport) atMost(name string, most, got float64) {
	r.Goals = append(r.Goals, goal{Name: name, Most: most, Got: got, Met: got <= most})
}

func (r *fleetReport) judge() {
	if len(r.Sizes) == 0 {
		return
	}
	first, last := r.Sizes[0], r.Sizes[len(r.Sizes)-1]
	for _, action := range actionNames {
		if last.Tenants == first.Tenants {
			break
		}
		for _, quantile := range []string{"p50", "p99"} {
			name := fmt.Sprintf("%s %s, %d tenants over %d, at worst", action, quantile, last.Tenants, first.Tenants)
			if worst, ok := worstGrowth(first, last, action, quantile); ok {
				r.atMost(name, mostOverOne, worst)
			}
		}
	}
	for _, c := range last.Create {
		switch {
		case c.Creators > 1:
		case c.Ready:
			r.atMost("create a tenant from a blank schema, p50 ms", mostClaim, c.P50)
		default:
			r.atMost("create a tenant, tables and all, p50 ms", mostCreate, c.P50)
		}
	}
	if last.Start.Count > 0 {
		r.atMost(fmt.Sprintf("exec to ready, p50 ms, %d tenants", last.Tenants), mostStart, last.Start.P50)
	}
	if last.Met.Tenants >= manyMet {
		r.atMost(fmt.Sprintf("server memory per idle tenant, bytes, of %d", last.Met.Tenants), mostPerTenant, last.Met.With)
	}
	r.judgeParts()
}

func (r *fleetReport) judgeParts() {
	failed := 0
	for _, s := range r.Sizes {
		for _, v := range s.Visits {
			failed += v.Failed
		}
	}
	r.atMost("requests that failed", 0, float64(failed))
	if s := r.Soak; s != nil {
		r.atMost("Postgres's memory in the soak, MB, of what was stated", float64(s.Stated>>20), float64(s.Most.Total>>20))
	}
	for _, c := range r.Crashes {
		r.atMost(fmt.Sprintf("start after kill -9, s, %d databases of %d files", c.Databases, c.Files), mostAfterCrash, c.Seconds)
	}
	if m := r.Migration; m != nil {
		r.atMost(fmt.Sprintf("migrate %d tenants, s", m.Tenants), mostMigration, m.Seconds)
		r.atMost("migrate with nothing to do, s", mostNothing, m.Nothing)
	}
}

// growth is how much longer an action takes at one size than at another. Each time is beside the p50 of its floor, which
// is how fast the machine was then; the floor's p99 would be how it was disturbed, which strikes either by chance.
func growth(few, many visitFigures, quantile string) (float64, bool) {
	a, b := few.P50, many.P50
	if quantile == "p99" {
		a, b = few.P99, many.P99
	}
	over := b / many.FloorP50 / (a / few.FloorP50)
	return over, over > 0 && !math.IsInf(over, 0)
}

// worstGrowth is the greatest of both ways to choose tenants and of one client and four.
func worstGrowth(few, many sizeOfFleet, action, quantile string) (worst float64, found bool) {
	for _, how := range []visited{uniformly, zipf} {
		for _, clients := range []int{1, 4} {
			over, ok := growth(few.visits(action, how, clients), many.visits(action, how, clients), quantile)
			if ok {
				worst, found = max(worst, over), true
			}
		}
	}
	return worst, found
}

// plot draws how times grow with tenants, by one client.
func (r *fleetReport) plot() plot.Chart {
	c := plot.Chart{Title: "Times of single requests as tenants grow", X: "tenants", Y: "time over that at one tenant", Limit: mostOverOne,
		Note: fmt.Sprintf("%d cores, Postgres %s, %s. Each time is beside the p50 of its floor, taken in turn with it.", r.Machine.Cores, r.Machine.Postgres,
			r.Machine.When.Format(time.DateOnly))}
	for _, panel := range []struct {
		title string
		how   visited
	}{{"Tenants visited uniformly", uniformly}, {fmt.Sprintf("Few visited often (Zipf, s = %.1f)", zipfS), zipf}} {
		p := plot.Panel{Title: panel.title}
		for hue, action := range actionNames {
			for _, quantile := range []string{"p50", "p99"} {
				l := plot.Line{Name: action + " " + quantile, Hue: hue, Dashed: quantile == "p99"}
				for _, s := range r.Sizes {
					if over, ok := growth(r.Sizes[0].visits(action, panel.how, 1), s.visits(action, panel.how, 1), quantile); ok {
						l.Points = append(l.Points, plot.Point{X: float64(s.Tenants), Y: over})
					}
				}
				p.Lines = append(p.Lines, l)
			}
		}
		c.Panels = append(c.Panels, p)
	}
	c.Top = c.Height(2, 4)
	return c
}
