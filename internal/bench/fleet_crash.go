package main

import (
	"context"
	"time"
)

// crashFigures are how long a cluster takes from the start after kill -9 of its postmaster until it takes connections.
type crashFigures struct {
	Databases int     `json:"databases"`
	Files     int64   `json:"files"`
	Seconds   float64 `json:"seconds"`
}

// measureCrash kills each cluster while it has work that is not at its place on disk: the soak has just ended. It starts
// with recovery_init_sync_method=syncfs, as all clusters here do; by default Postgres would sync file by file.
func (f *fleet) measureCrash(ctx context.Context) error {
	at, err := f.catalogs(ctx)
	if err != nil {
		return err
	}
	files := map[string]int64{}
	for _, c := range at {
		files[c.Database] = c.Files
	}
	for i, c := range f.clusters() {
		x := crashFigures{}
		for _, p := range f.allPlaces() {
			if p.cluster == i {
				x.Databases, x.Files = x.Databases+1, x.Files+files[p.Name]
			}
		}
		c.Kill()
		began := time.Now()
		if err := c.Restart(ctx); err != nil {
			return err
		}
		x.Seconds = time.Since(began).Seconds()
		f.report.Crashes = append(f.report.Crashes, x)
	}
	return nil
}
