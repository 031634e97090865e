package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

// database is one that tenants live in.
type database struct {
	Name           string // as tenants' records carry it
	URL            secret // of the serving role, which may lead through a pooler
	DirectURL      secret // which does not; empty if URL does not either
	ProvisionerURL secret
	Capacity       int32 // tenants it is meant for
	Connections    int32 // of the serving role that a replica opens at most

	filed bool // told by GATEHOUSE_DATABASES_FILE
}

const (
	defaultCapacity = 1000
	// maxCapacity: with more, taking on a tenant's role takes Postgres 15 longer than all the rest of a login.
	maxCapacity = 2000
	// fewestConnections leave one for a tenant that asks while another one's storm holds its share.
	fewestConnections = 2
)

// databasesFile is what GATEHOUSE_DATABASES_FILE holds.
type databasesFile struct {
	Databases []struct {
		Name           string `json:"name"`
		URL            string `json:"url"`
		DirectURL      string `json:"direct_url"`
		ProvisionerURL string `json:"provisioner_url"`
		Capacity       *int32 `json:"capacity"`
		Connections    *int32 `json:"connections"`
	} `json:"databases"`
}

var databaseName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// readDatabases reads the databases that are there beside the one of the directory. Its errors quote nothing of the file,
// which holds passwords, but names.
func readDatabases(file string) ([]database, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f databasesFile
	if err := strictjson.Decode(text, &f); err != nil {
		return nil, fmt.Errorf("is not as docs/scaling.md describes it: %s", strings.TrimPrefix(err.Error(), "strictjson: "))
	}
	var all []database
	var bad []string
	for i, e := range f.Databases {
		refuse := func(field, why string) { bad = append(bad, fmt.Sprintf("databases[%d].%s %s", i, field, why)) }
		d := database{Name: e.Name, URL: secret(e.URL), DirectURL: secret(e.DirectURL), ProvisionerURL: secret(e.ProvisionerURL), Capacity: defaultCapacity, filed: true}
		if !databaseName.MatchString(e.Name) {
			refuse("name", "must be up to 40 of a-z, 0-9 and -, such as shared-2")
		}
		if e.URL == "" {
			refuse("url", "is required")
		}
		if e.ProvisionerURL == "" {
			refuse("provisioner_url", "is required")
		}
		if e.Capacity != nil {
			if d.Capacity = *e.Capacity; d.Capacity < 0 || d.Capacity > maxCapacity {
				refuse("capacity", fmt.Sprintf("must be a number from 0 to %d", maxCapacity))
			}
		}
		if e.Connections != nil {
			if d.Connections = *e.Connections; d.Connections < fewestConnections {
				refuse("connections", fmt.Sprintf("must be at least %d", fewestConnections))
			}
		}
		all = append(all, d)
	}
	if len(bad) > 0 {
		return nil, errors.New(strings.Join(bad, "; "))
	}
	return all, nil
}

// databases are all that tenants live in, each with its part of the connections. The first holds the directory, too.
func (c *config) databases() []database {
	all := append([]database{{Name: c.Database, URL: c.DatabaseURL, DirectURL: c.DatabaseDirectURL, ProvisionerURL: c.ProvisionerURL, Capacity: c.DatabaseCapacity}}, c.MoreDatabases...)
	left, untold := c.DatabaseConnections, int32(0)
	for _, d := range all {
		left -= d.Connections
		if d.Connections == 0 {
			untold++
		}
	}
	for i := range all {
		if all[i].Connections == 0 {
			// Rounded up: what does not divide goes to the first, where everybody's names are looked up.
			all[i].Connections = (left + untold - 1) / untold
			left -= all[i].Connections
			untold--
		}
	}
	return all
}

// direct is the URL of the serving role that leads to the server itself.
func (d database) direct() secret { return cmp.Or(d.DirectURL, d.URL) }

// around is the setting that told direct.
func (d database) around() string {
	if d.DirectURL == "" {
		return d.setting("url")
	}
	return d.setting("direct_url")
}

// setting names what told a part of a database.
func (d database) setting(part string) string {
	switch {
	case d.filed:
		return "GATEHOUSE_DATABASES_FILE: " + d.Name + ": " + part
	case part == "url":
		return "GATEHOUSE_DATABASE_URL"
	case part == "direct_url":
		return "GATEHOUSE_DATABASE_DIRECT_URL"
	case part == "provisioner_url":
		return "GATEHOUSE_PROVISIONER_DATABASE_URL"
	}
	return "GATEHOUSE_DATABASE"
}

func (c *config) checkDatabases() error {
	var errs []error
	all := c.databases()
	for i, d := range all {
		errs = append(errs, d.check())
		for _, before := range all[:i] {
			errs = append(errs, d.checkBeside(before))
		}
		if d.Connections < fewestConnections && c.DatabaseConnections > 0 {
			errs = append(errs, fmt.Errorf("GATEHOUSE_DATABASE_CONNECTIONS: %d are not enough for %d databases: %s would have %d and needs %d",
				c.DatabaseConnections, len(all), d.Name, max(0, d.Connections), fewestConnections))
		}
	}
	return errors.Join(errs...)
}

func (d database) check() error {
	serving, err := parseDatabase(d.URL)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.setting("url"), err)
	}
	direct, err1 := parseDatabase(d.DirectURL)
	if err1 != nil {
		err1 = fmt.Errorf("%s: %w", d.setting("direct_url"), err1)
	}
	provisioning, err2 := parseDatabase(d.ProvisionerURL)
	if err2 != nil {
		err2 = fmt.Errorf("%s: %w", d.setting("provisioner_url"), err2)
	}
	errs := []error{err, err1, err2}
	if serving != nil && direct != nil && serving.User != direct.User {
		errs = append(errs, fmt.Errorf("%s: must be the same role as %s", d.setting("direct_url"), d.setting("url")))
	}
	if serving != nil && provisioning != nil {
		if serving.User == provisioning.User {
			errs = append(errs, fmt.Errorf("%s: must be another role than %s, or requests are served with the right to every tenant's tables", d.setting("provisioner_url"), d.setting("url")))
		}
		if cmp.Or(direct, serving).Database != provisioning.Database { // a pooler may have a name of its own for it
			errs = append(errs, fmt.Errorf("%s: must name the same database as %s", d.setting("provisioner_url"), d.around()))
		}
	}
	return errors.Join(errs...)
}

// checkBeside refuses what two databases may not share. Of one login role for both, each tenant of the one would slow down
// every first statement of the other: Postgres works out all that a role is a member of.
func (d database) checkBeside(other database) error {
	if d.Name == other.Name {
		return fmt.Errorf("%s: is the name of two databases", d.setting("name"))
	}
	a, _ := parseDatabase(d.direct())
	b, _ := parseDatabase(other.direct())
	if a == nil || b == nil || a.Host != b.Host || a.Port != b.Port {
		return nil
	}
	switch {
	case a.Database == b.Database:
		return fmt.Errorf("%s: names the database that %s is", d.around(), other.Name)
	case a.User == b.User:
		return fmt.Errorf("%s: must be another role than that of %s on the same server, or each is slowed down by the other's tenants", d.setting("url"), other.Name)
	}
	return nil
}

// parseDatabase reads the URL of a database and refuses unsafe ones; nil, nil is none.
func parseDatabase(u secret) (*pgconn.Config, error) {
	if u == "" {
		return nil, nil
	}
	parsed, err := pgxpool.ParseConfig(string(u))
	if err != nil {
		return nil, errors.New("is not a Postgres URL") // the parser's own words may hold the password
	}
	c := &parsed.ConnConfig.Config
	if c.User == "postgres" {
		return nil, errors.New("must not be the superuser")
	}
	attempts := []*pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}
	for _, a := range append(attempts, c.Fallbacks...) {
		if a.TLSConfig == nil && !loopbackName(a.Host) && !strings.HasPrefix(a.Host, "/") {
			return nil, errors.New("needs sslmode=verify-full (or require), or rows and passwords cross the network in the clear")
		}
	}
	return c, nil
}
