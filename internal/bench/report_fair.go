package main

import "strconv"

// fairFigures are what a storm at one tenant does to the others.
type fairFigures struct {
	Quiet     fairWeather `json:"quiet"`
	Logins    fairWeather `json:"storm_of_logins"`
	Refreshes fairWeather `json:"storm_of_refreshes"`
	Trifles   fairWeather `json:"storm_of_trifles"` // served are keys, and 401s
}

// fairWeather is one phase. FloorP50 and FloorP99 are not measured.
type fairWeather struct {
	Login   timing  `json:"login"`
	Refresh timing  `json:"refresh"`
	Lost    int     `json:"lost"`
	Served  int     `json:"storm_served"`
	Told    int     `json:"storm_429"`
	Shed    int     `json:"storm_other"`
	PerSec  float64 `json:"storm_served_per_second"`
}

func newFairFigures(phases [4]*fairPhase) *fairFigures {
	var f fairFigures
	for i, into := range []*fairWeather{&f.Quiet, &f.Logins, &f.Refreshes, &f.Trifles} {
		p := phases[i]
		*into = fairWeather{newTiming(p.logins, nil), newTiming(p.refreshes, nil), p.lost, p.served, p.told, p.shed,
			float64(p.served) / p.wall.Seconds()}
	}
	return &f
}

// mostStorm is what a storm elsewhere may do to the p99.
const mostStorm = 2.0

func (r *report) judgeFair() {
	f := r.Fair
	if f == nil {
		return
	}
	for _, x := range []struct {
		name string
		fairWeather
	}{{"logins", f.Logins}, {"refreshes", f.Refreshes}, {"trifles", f.Trifles}} {
		r.atMost("others' login p99, a tenant storms with "+x.name+" over quiet", mostStorm, x.Login.P99/f.Quiet.Login.P99)
		r.atMost("others' refresh p99, a tenant storms with "+x.name+" over quiet", mostStorm, x.Refresh.P99/f.Quiet.Refresh.P99)
		r.atMost("others' requests lost, a tenant storms with "+x.name, 0, float64(x.Lost))
	}
}

func (r *report) fairTable() (t table) {
	f := r.Fair
	if f == nil {
		return nil
	}
	t.row("others, ms", "login p50", "p99", "refresh p50", "p99", "times", "lost", "storm: 200/s", "429", "other")
	for _, x := range []struct {
		name string
		fairWeather
	}{{"in quiet", f.Quiet}, {"a tenant storms with logins", f.Logins}, {"a tenant storms with refreshes", f.Refreshes}, {"a tenant storms with trifles", f.Trifles}} {
		t.row(x.name, figure(x.Login.P50), figure(x.Login.P99), figure(x.Refresh.P50), figure(x.Refresh.P99),
			strconv.Itoa(x.Login.Count)+" + "+strconv.Itoa(x.Refresh.Count), strconv.Itoa(x.Lost), figure(x.PerSec), strconv.Itoa(x.Told), strconv.Itoa(x.Shed))
	}
	return t
}
