package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// databasesFileOf writes one for databases besides the first.
func databasesFileOf(t *testing.T, all ...map[string]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"databases": all})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "databases.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	told := map[string]any{"name": "shared-2", "url": second.RuntimeURL, "provisioner_url": second.ProvisionerURL, "capacity": 5}
	settings := serveSettings(in, "localhost:1")
	settings["GATEHOUSE_DATABASES_FILE"] = databasesFileOf(t, told)
	examine := func(env ...string) (said string, code int) {
		p := launch(t, environment(settings, env...), "doctor")
		code = p.wait()
		return p.stdout.String(), code
	}
	says := func(text string, wantCode, code int, all ...string) {
		t.Helper()
		if code != wantCode {
			t.Errorf("exit code %d, want %d:\n%s", code, wantCode, text)
		}
		for _, want := range all {
			if !strings.Contains(text, want) {
				t.Errorf("does not say %q:\n%s", want, text)
			}
		}
		for _, hidden := range []string{passwordIn(t, in.RuntimeURL), passwordIn(t, second.ProvisionerURL)} {
			if strings.Contains(text, hidden) {
				t.Error("it says a secret")
			}
		}
	}
	text, code := examine()
	says(text, 0, code, "ok       database shared-2: answers", "ok       connections: ", "ok       directory: version", "database shared-2: 0 of 5 places", "ok       tenants: all are at version", "ok       custody of keys")

	for range 4 {
		if _, err := tenantIn(t, in, second); err != nil {
			t.Fatal(err)
		}
	}
	text, code = examine()
	says(text, 0, code, "warning  database shared-2: 4 of 5 places are taken: add a database to GATEHOUSE_DATABASES_FILE, or raise its capacity")

	execSQL(t, in.SuperuserURL, `update control.tenants set schema_version = schema_version - 1`)
	text, code = examine()
	says(text, 1, code, "wrong    4 tenants are behind version ", ": run gatehouse migrate\n")
	execSQL(t, in.SuperuserURL, `update control.tenants set schema_version = schema_version + 1`)

	text, code = examine("GATEHOUSE_DATABASES_FILE=")
	says(text, 1, code, "wrong    database shared-2: 4 tenants live in it and it is not in the settings")

	text, code = examine("GATEHOUSE_REPLICAS=1000")
	says(text, 1, code, "wrong    the Postgres of shared-1, shared-2 allows ", "1000 replicas may open ")

	u, err := url.Parse(second.RuntimeURL)
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, second.SuperuserURL, `alter role `+u.User.Username()+` inherit`)
	text, code = examine()
	says(text, 1, code, "wrong    database shared-2: this role must not serve requests: it is not NOINHERIT", "ok       database shared-1: answers")
	execSQL(t, second.SuperuserURL, `alter role `+u.User.Username()+` noinherit`)

	told["url"] = strings.Replace(second.RuntimeURL, u.Host, "127.0.0.1:1", 1)
	text, code = examine("GATEHOUSE_DATABASES_FILE=" + databasesFileOf(t, told))
	says(text, 1, code, "wrong    database shared-2: ", "ok       database shared-1: answers")
}

// tenantIn makes a tenant in the second database of an installation.
func tenantIn(t *testing.T, in, second tenancytest.Installation) (id string, err error) {
	t.Helper()
	c := testConfig(t, in, "127.0.0.1:1")
	c.MoreDatabases = []database{beside("shared-2", second)}
	p, err := wire(t.Context(), c, c.logger(io.Discard))
	if err != nil {
		return "", err
	}
	defer p.close()
	made, err := p.provision.Create(t.Context(), tenantNamed("shared-2"))
	return made.Tenant.ID.String(), err
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	second := tenancytest.Database(t)
	tp := startOn(t, tenancytest.Install(t), func(c *config) {
		c.MoreDatabases = []database{beside("shared-2", second)}
		c.MetricsListen = freeListen(t)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := tp.serveMetrics(ctx); err != nil {
		t.Fatal(err)
	}
	tp.newTenantIn(t, "shared-2")
	ask := func() string {
		answer, err := http.Get("http://" + tp.config.MetricsListen + "/metrics")
		if err != nil {
			return ""
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return string(text)
	}
	eventually(t, 10*time.Second, "metrics are served", func() bool { return ask() != "" })
	text := ask()
	for _, want := range []string{`gatehouse_database_tenants{database="shared-1"} 1`, `gatehouse_database_tenants{database="shared-2"} 1`,
		`gatehouse_database_capacity{database="shared-2"} 1000`, "go_goroutines"} {
		if !strings.Contains(text, want+"\n") && !strings.Contains(text, want+" ") {
			t.Errorf("metrics lack %s", want)
		}
	}
	if a := tp.do(t, request{method: "GET", path: "/metrics"}); a.status != http.StatusNotFound {
		t.Errorf("metrics are served to everybody: %d", a.status)
	}
	if _, err := tenantIn(t, tp.install, second); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(ask(), `gatehouse_database_tenants{database="shared-2"} 2`) {
		t.Error("a tenant that another replica made is not counted")
	}
}
