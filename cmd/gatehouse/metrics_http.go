package main

import (
	"context"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// metrics is what Prometheus is told. It has a listener of its own: who may ask is decided by who can reach it.
func (p *platform) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), placements{p})
	m := http.NewServeMux()
	m.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 2}))
	return m
}

// serveMetrics serves them until ctx ends. Without a listener there are none.
func (p *platform) serveMetrics(ctx context.Context) error {
	if p.config.MetricsListen == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.config.MetricsListen)
	if err != nil {
		return err
	}
	server := rest.NewServer(listener.Addr().String(), p.metrics(), p.log)
	p.background.Go(func() { _ = server.Serve(listener) })
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// placements tells how full the databases are, as the directory has it when asked. Where it cannot be asked, nothing is told
// of the tenants: an old figure would look like a true one.
type placements struct{ *platform }

var (
	tenantsHeld = prometheus.NewDesc("gatehouse_database_tenants", "Tenants that live in a database, those being made included.", []string{"database"}, nil)
	tenantsMost = prometheus.NewDesc("gatehouse_database_capacity", "Tenants that a database is meant for.", []string{"database"}, nil)
)

// Describe names the metrics.
func (placements) Describe(ch chan<- *prometheus.Desc) { ch <- tenantsHeld; ch <- tenantsMost }

// Collect asks the directory.
func (p placements) Collect(ch chan<- prometheus.Metric) {
	held, err := p.directory.Tenants(context.Background()) // bounded like every question to the directory
	for _, d := range p.config.databases() {
		ch <- prometheus.MustNewConstMetric(tenantsMost, prometheus.GaugeValue, float64(d.Capacity), d.Name)
		if err == nil {
			ch <- prometheus.MustNewConstMetric(tenantsHeld, prometheus.GaugeValue, float64(held[d.Name]), d.Name)
		}
	}
}
