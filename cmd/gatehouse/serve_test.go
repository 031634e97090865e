package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// serveSettings is the environment of gatehouse serve on an installation.
func serveSettings(in tenancytest.Installation, listen string) map[string]string {
	return map[string]string{
		"GATEHOUSE_LISTEN": listen, "GATEHOUSE_PUBLIC_URL": "http://" + listen, "GATEHOUSE_TENANT_DOMAIN": "localhost", "GATEHOUSE_REGION": "test",
		"GATEHOUSE_DATABASE_URL": in.RuntimeURL, "GATEHOUSE_PROVISIONER_DATABASE_URL": in.ProvisionerURL,
		"GATEHOUSE_VAULT_ADDR":    in.Runtime.Address,
		"GATEHOUSE_VAULT_ROLE_ID": in.Runtime.Login.RoleID, "GATEHOUSE_VAULT_SECRET_ID": string(in.Runtime.Login.SecretID),
		"GATEHOUSE_VAULT_PROVISIONER_ROLE_ID": in.Provisioner.Login.RoleID, "GATEHOUSE_VAULT_PROVISIONER_SECRET_ID": string(in.Provisioner.Login.SecretID),
		"GATEHOUSE_SHUTDOWN_DELAY": "300ms",
	}
}

func environment(settings map[string]string, changes ...string) (env []string) {
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return append(env, changes...) // the last one of a name holds
}

// freeListen is an address that nobody listens on just now.
func freeListen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
}

func status(t *testing.T, listen, path string) int {
	t.Helper()
	answer, err := http.Get("http://" + listen + path)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// SIGTERM: readiness goes first, then no connection is taken, and what is under way is answered.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	listen := freeListen(t)
	p := launch(t, environment(serveSettings(in, listen), "GATEHOUSE_LISTEN=127.0.0.1:1"), "serve", "--listen", listen) // the flag goes first
	p.says(`"msg":"serving"`)
	eventually(t, 10*time.Second, "ready", func() bool { return status(t, listen, "/readyz") == http.StatusOK })

	// A request of which the end is still to come. That it is under way is shown by an answer on the same connection.
	conn, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", listen)
	if a, err := http.ReadResponse(answers, nil); err != nil || a.StatusCode != http.StatusOK {
		t.Fatal(a, err)
	} else if _, err := answers.Discard(int(a.ContentLength)); err != nil {
		t.Fatal(err)
	}
	body := `{"tenant_slug":"nobody-here","email":"a@b.example","password":"x"}`
	fmt.Fprintf(conn, "POST /v1/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		listen, len(body), body[:10])

	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, 5*time.Second, "readiness is withdrawn while requests are still taken", func() bool {
		return status(t, listen, "/readyz") == http.StatusServiceUnavailable
	})
	eventually(t, 5*time.Second, "no connection is taken", func() bool { return status(t, listen, "/healthz") == 0 })
	if _, err := conn.Write([]byte(body[10:])); err != nil {
		t.Fatal(err)
	}
	if a, err := http.ReadResponse(answers, nil); err != nil || a.StatusCode != http.StatusNotFound {
		t.Errorf("the request under way: %v %v", a, err)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.stderr.String())
	}
	for _, said := range []string{`"msg":"stopping"`, `"msg":"stopped"`} {
		if !strings.Contains(p.stderr.String(), said) {
			t.Errorf("the log has no %s:\n%s", said, p.stderr.String())
		}
	}
	for _, hidden := range []string{string(in.Runtime.Login.SecretID), passwordIn(t, in.RuntimeURL), passwordIn(t, in.ProvisionerURL)} {
		if strings.Contains(p.stderr.String()+p.stdout.String(), hidden) {
			t.Error("the log holds a secret")
		}
	}
}

// Whoever cannot wait for the drain sends a second signal.
func TestASecondSignalEndsTheDrain(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	p := launch(t, environment(serveSettings(in, freeListen(t)), "GATEHOUSE_SHUTDOWN_DELAY=1m"), "serve")
	p.says(`"msg":"serving"`)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.says(`"msg":"stopping"`)
	eventually(t, 30*time.Second, "it ends", func() bool {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	})
	if code := p.wait(); code != -1 {
		t.Errorf("exit code %d, want a death by signal", code)
	}
}

func passwordIn(t *testing.T, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := u.User.Password()
	return p
}

// A Vault that is down makes a replica not ready, and is no reason not to start.
func TestServeStartsWithoutVault(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	listen := freeListen(t)
	p := launch(t, environment(serveSettings(in, listen), "GATEHOUSE_VAULT_ADDR=http://127.0.0.1:1", "GATEHOUSE_SHUTDOWN_DELAY=0s"), "serve")
	p.says(`"msg":"serving"`)
	if got := status(t, listen, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d, want 503", got)
	}
	if got := status(t, listen, "/healthz"); got != http.StatusOK {
		t.Errorf("/healthz is %d, want 200", got)
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.stderr.String())
	}
}

// What the database says against the start.
func TestServeRefusesDatabases(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	listen := freeListen(t)
	settings := serveSettings(in, listen)
	runtime, err := url.Parse(in.RuntimeURL)
	if err != nil {
		t.Fatal(err)
	}
	role := pgx.Identifier{runtime.User.Username()}.Sanitize()
	refuses := func(name, sql, undo, want string, env ...string) {
		t.Run(name, func(t *testing.T) {
			execSQL(t, in.SuperuserURL, sql)
			launch(t, environment(settings, env...), "serve").refuses(want)
			execSQL(t, in.SuperuserURL, undo)
		})
	}
	refuses("superuser", "alter role "+role+" superuser", "alter role "+role+" nosuperuser", "is a superuser")
	refuses("inherits", "alter role "+role+" inherit", "alter role "+role+" noinherit", "is not NOINHERIT")
	refuses("search_path", "alter role "+role+" in database "+pgx.Identifier{runtime.Path[1:]}.Sanitize()+" set search_path = public",
		"alter role "+role+" in database "+pgx.Identifier{runtime.Path[1:]}.Sanitize()+" set search_path = "+migrations.TemplateSchema, "has a search_path other than")
	refuses("jobs out of reach", "revoke gatehouse_jobs from "+role, "grant gatehouse_jobs to "+role, "run the script of gatehouse migrate roles again")
	refuses("behind", "update control.schema_migrations set version = version - 1", "update control.schema_migrations set version = version + 1", "run gatehouse migrate")
	refuses("cut short", "update control.schema_migrations set dirty = true", "update control.schema_migrations set dirty = false", "run gatehouse migrate")
	refuses("down", "select 1", "select 1", "the database is not ready", "GATEHOUSE_DATABASE_URL=postgres://a:hidden@127.0.0.1:1"+runtime.Path+"?sslmode=disable")
	refuses("wrong password", "select 1", "select 1", "the database is not ready",
		"GATEHOUSE_DATABASE_URL="+strings.Replace(in.RuntimeURL, passwordIn(t, in.RuntimeURL), "wrong", 1))

	taken, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	refuses("port taken", "select 1", "select 1", "cannot listen on "+listen)
}

func execSQL(t *testing.T, superuserURL, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), superuserURL)
	if err == nil {
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), sql)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// From an empty database: the administrator's script by psql, then migrate; both may be repeated.
func TestMigrateFromNothing(t *testing.T) {
	t.Parallel()
	superuser := testenv.Database(t)
	u, err := url.Parse(superuser)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.User = url.UserPassword("serve_"+name, "it's a 'secret'")
	runtime := u.String()
	u.User = url.UserPassword("provision_"+name, "another $$secret$$")
	env := []string{"GATEHOUSE_DATABASE_URL=" + runtime, "GATEHOUSE_PROVISIONER_DATABASE_URL=" + u.String()}
	launch(t, env, "migrate").refuses("provision_" + name)
	launch(t, env, "migrate").refuses("was the script of gatehouse migrate roles run on this database?")

	in := tenancytest.Install(t) // for its logins to Vault
	for i := range 2 {
		roles := launch(t, env, "migrate", "roles")
		if code := roles.wait(); code != 0 {
			t.Fatal(roles.stderr.String())
		}
		applyScript(t, superuser, roles.stdout.String())
		if i == 0 {
			launch(t, environment(serveSettings(in, "localhost:1"), env...), "tenant", "list").refuses("run gatehouse migrate")
		}
		migrate := launch(t, env, "migrate")
		if code := migrate.wait(); code != 0 {
			t.Fatal(migrate.stderr.String())
		}
		want := fmt.Sprintf("directory: version %d\ntenants: 0 brought to version %d\n", migrations.LatestControl, migrations.LatestTenant)
		if got := migrate.stdout.String(); got != want {
			t.Errorf("migrate says %q, want %q", got, want)
		}
	}
	in.RuntimeURL, in.ProvisionerURL = runtime, u.String()
	listen := freeListen(t)
	p := launch(t, environment(serveSettings(in, listen), "GATEHOUSE_SHUTDOWN_DELAY=0s"), "serve")
	eventually(t, 10*time.Second, "ready", func() bool { return status(t, listen, "/readyz") == http.StatusOK })
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.wait()

	for want, env := range map[string][]string{
		"GATEHOUSE_PROVISIONER_DATABASE_URL is required": nil,
		"must not be the superuser":                      {"GATEHOUSE_PROVISIONER_DATABASE_URL=" + superuser},
		"is not a Postgres URL":                          {"GATEHOUSE_PROVISIONER_DATABASE_URL=http://x:hidden@y"},
	} {
		launch(t, env, "migrate").refuses(want)
	}
	launch(t, []string{"GATEHOUSE_DATABASE_URL=" + runtime, "GATEHOUSE_PROVISIONER_DATABASE_URL=" + runtime}, "migrate", "roles").refuses("two different users")
}

// applyScript gives the script to psql as an administrator would.
func applyScript(t *testing.T, superuserURL, script string) {
	t.Helper()
	psql, err := exec.LookPath("psql")
	if err != nil { // the prebuilt programs that tests may have fetched come without it
		execSQL(t, superuserURL, script)
		return
	}
	cmd := exec.CommandContext(t.Context(), psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", superuserURL)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
