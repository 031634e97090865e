package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// What a replica opens at most to each database beside the connections that serve requests.
const (
	provisioningConnections = 3 // long work has one of them at most
	settlingConnections     = 1 // to end a move whose mover is gone
	jobsConnections         = 3 // and one more that waits for jobs to come
)

// connections is how many a replica opens to a database at most, of both roles. Those to a pooler are not the server's.
func (c *config) connections(d database) int32 {
	const hears = 1 // what is announced there
	n := int32(provisioningConnections + settlingConnections + jobsConnections + 1 + hears)
	if d.DirectURL == "" {
		n += d.Connections
	}
	return n
}

// overdrawn says of each server that it allows fewer connections than all replicas may open to the databases on it. Servers
// that do not answer are left out. Others may use the server too, so that none is overdrawn is no promise.
func (p *platform) overdrawn(ctx context.Context) (sentences []string) {
	type account struct {
		server tenancy.Server
		on     []string
		need   int32
	}
	accounts := map[string]*account{}
	var order []*account
	for _, d := range p.config.databases() {
		s, err := p.db.Server(ctx, d.Name)
		if err != nil {
			continue
		}
		a := accounts[s.Address]
		if a == nil {
			a = &account{server: s}
			accounts[s.Address], order = a, append(order, a)
		}
		a.on, a.need = append(a.on, d.Name), a.need+p.config.Replicas*p.config.connections(d)
	}
	for _, a := range order {
		if int(a.need) > a.server.Connections {
			sentences = append(sentences, fmt.Sprintf("the Postgres of %s allows %d connections, and %d replicas may open %d: lower GATEHOUSE_DATABASE_CONNECTIONS, raise max_connections, or move a database to another server",
				strings.Join(a.on, ", "), a.server.Connections, p.config.Replicas, a.need))
		}
	}
	return sentences
}

func (p *platform) warnOfBudget(ctx context.Context) {
	for _, sentence := range p.overdrawn(ctx) {
		p.log.LogAttrs(ctx, slog.LevelWarn, "replicas may open more connections than a server allows", slog.String("why", sentence))
	}
}
