package main

import (
	"fmt"
	"os"
	"time"
)

// report is what bench.json holds. Times are milliseconds.
type report struct {
	Machine    machineFacts      `json:"machine"`
	Logins     []loginFigures    `json:"logins"`
	Memory     memoryFigures     `json:"memory"`
	Ready      timing            `json:"ready"`
	NewTenant  timing            `json:"new_tenant"`
	NewDomain  timing            `json:"new_domain"`
	Sizes      []sizeFigures     `json:"sizes"`
	Factors    []factorFigures   `json:"factors"`
	Abandoned  abandonedFigures  `json:"abandoned_challenges"`
	Refreshes  []factorFigures   `json:"refreshes"`
	Imports    []importFigures   `json:"imports"`
	Migrations []migrateFigures  `json:"migrations"`
	Spray      *sprayFigures     `json:"spray,omitempty"`
	Fair       *fairFigures      `json:"fair,omitempty"`
	Backends   []backendsFigures `json:"backends"`
	Policies   *policyFigures    `json:"policies,omitempty"`
	Pages      *pageFigures      `json:"pages,omitempty"`
	Goals      []goal            `json:"goals"`
}

type machineFacts struct {
	Processor string    `json:"processor"`
	Cores     int       `json:"cores"`
	Go        string    `json:"go"`
	Postgres  string    `json:"postgres"`
	Vault     string    `json:"vault"`
	When      time.Time `json:"when"`
}

// timing is how long something takes, and the least it could on this machine in this run.
type timing struct {
	Count    int     `json:"count"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	FloorP50 float64 `json:"floor_p50_ms"`
	FloorP99 float64 `json:"floor_p99_ms"`
}

func newTiming(took, floor []time.Duration) timing {
	return timing{len(took), millis(quantile(took, 0.5)), millis(quantile(took, 0.99)),
		millis(quantile(floor, 0.5)), millis(quantile(floor, 0.99))}
}

// loginFigures are those of one number of clients.
type loginFigures struct {
	Clients      int         `json:"clients"`
	Count        int         `json:"count"`
	Shed         int         `json:"shed"` // answered "come back later"
	PerSecond    float64     `json:"per_second"`
	HashesPerSec float64     `json:"hashes_per_second"`
	P50          float64     `json:"p50_ms"`
	P99          float64     `json:"p99_ms"`
	HashP50      float64     `json:"hash_p50_ms"`
	CPU          cpuPerLogin `json:"cpu_ms_per_login"`
	ServerOver   [3]float64  `json:"server_over_hash"` // of the sums; the least and greatest of a round
	AllOver      [3]float64  `json:"all_over_hash"`
}

type cpuPerLogin struct {
	Hash     float64 `json:"bare_hash"`
	Server   float64 `json:"server"`
	Postgres float64 `json:"postgres"`
	Vault    float64 `json:"vault"`
	All      float64 `json:"all"`
	Load     float64 `json:"load_generator"` // not part of all
}

type memoryFigures struct {
	Idle   int64 `json:"idle_bytes"`
	Busy   int64 `json:"busy_bytes"`
	Hashes int64 `json:"bare_hashes_bytes"` // the process of bare hashes, one per core at a time
}

type sizeFigures struct {
	Tenants int `json:"tenants"`
	// VisitedP50 is of logins at so many tenants of the greatest installation, each size in turn.
	VisitedP50 float64 `json:"visited_p50_ms"`
	P50        float64 `json:"p50_ms"`
	HashP50    float64 `json:"hash_p50_ms"`
	PerHash    float64 `json:"p50_over_hash"`
	First      float64 `json:"first_login_p50_ms"`
	Server     float64 `json:"server_cpu_ms"`
	Postgres   float64 `json:"postgres_cpu_ms"`
	Vault      float64 `json:"vault_cpu_ms"`
}

func newLoginFigures(clients int, rounds []round) loginFigures {
	f := loginFigures{Clients: clients}
	var took, hashes []time.Duration
	var sum cost
	var wall, hashWall, hashCPU time.Duration
	for i, x := range rounds {
		took, hashes = append(took, x.logins.took...), append(hashes, x.hashed.Took...)
		f.Shed += x.logins.shed
		wall, hashWall, hashCPU = wall+x.logins.wall, hashWall+x.hashed.Wall, hashCPU+x.hashed.CPU
		sum = sum.plus(x.logins.cost)

		hash := ratio(millis(x.hashed.CPU), len(x.hashed.Took))
		one := perLogin(x.logins.cost, len(x.logins.took), hash)
		for over, r := range map[*[3]float64]float64{&f.ServerOver: one.Server / hash, &f.AllOver: one.All / hash} {
			if i == 0 || r < over[1] {
				over[1] = r
			}
			over[2] = max(over[2], r)
		}
	}
	f.Count = len(took)
	f.PerSecond, f.HashesPerSec = float64(len(took))/wall.Seconds(), float64(len(hashes))/hashWall.Seconds()
	f.P50, f.P99, f.HashP50 = millis(quantile(took, 0.5)), millis(quantile(took, 0.99)), millis(quantile(hashes, 0.5))
	f.CPU = perLogin(sum, len(took), ratio(millis(hashCPU), len(hashes)))
	f.ServerOver[0], f.AllOver[0] = f.CPU.Server/f.CPU.Hash, f.CPU.All/f.CPU.Hash
	return f
}

func perLogin(c cost, n int, hash float64) cpuPerLogin {
	p := cpuPerLogin{Hash: hash, Server: ratio(millis(c.server), n), Postgres: ratio(millis(c.postgres), n),
		Vault: ratio(millis(c.vault), n), Load: ratio(millis(c.load), n)}
	p.All = p.Server + p.Postgres + p.Vault
	return p
}

func ratio(sum float64, n int) float64 { return sum / float64(max(n, 1)) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// say tells who waits what goes on; figures go to stdout.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
