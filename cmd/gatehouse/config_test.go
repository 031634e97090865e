package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy/mail"
)

// aSafeInstallation has nothing wrong with it; each case below changes one thing.
var aSafeInstallation = map[string]string{
	"GATEHOUSE_PUBLIC_URL": "https://id.example.com", "GATEHOUSE_REGION": "eu-1",
	"GATEHOUSE_DATABASE_URL":              "postgres://gatehouse_runtime:pw-one@db.example/gatehouse?sslmode=verify-full",
	"GATEHOUSE_PROVISIONER_DATABASE_URL":  "postgres://gatehouse_provisioner:pw-two@db.example/gatehouse?sslmode=verify-full",
	"GATEHOUSE_VAULT_ADDR":                "https://vault.example:8200",
	"GATEHOUSE_VAULT_KUBERNETES_ROLE":     "gatehouse-runtime",
	"GATEHOUSE_VAULT_PROVISIONER_ROLE_ID": "role", "GATEHOUSE_VAULT_PROVISIONER_SECRET_ID": "pw-three",
}

func read(t *testing.T, env map[string]string, args ...string) (config, error) {
	t.Helper()
	c := &cobra.Command{Use: "test"}
	addFlags(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return readConfig(c, func(name string) string { return env[name] })
}

// Each of these would seem to work and give something away, or would fail later and less clearly.
func TestConfigurationRefuses(t *testing.T) {
	t.Parallel()
	if _, err := read(t, aSafeInstallation); err != nil {
		t.Fatal(err)
	}
	const db = "postgres://gatehouse_runtime:pw-one@db.example/gatehouse"
	for _, c := range []struct{ name, value, want string }{
		{"PUBLIC_URL", "", "is required"},
		{"PUBLIC_URL", "http://id.example.com", "must be https"},
		{"PUBLIC_URL", "id.example.com", "GATEHOUSE_PUBLIC_URL:"},
		{"PUBLIC_URL", "https://id.example.com/path", "GATEHOUSE_PUBLIC_URL:"},
		{"LISTEN", "8080", "must be HOST:PORT"},
		{"LISTEN", ":http", "must be HOST:PORT"},
		{"TENANT_DOMAIN", "Not A Host", "GATEHOUSE_TENANT_DOMAIN:"},
		{"TRUSTED_PROXIES", "10.0.0.1", "must be networks"},
		{"TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "trusts a good part of the internet"},
		{"TRUSTED_PROXIES", "::/0", "trusts a good part of the internet"},
		{"TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1", "trusts a good part of the internet"},
		{"VAULT_ADDR", "https://user:secret@vault.example", "must not hold a user"},
		{"REGION", "", "is required"},
		{"DNS_SERVER", "9.9.9.9", "must be HOST:PORT"},
		{"DATABASE_URL", "", "is required"},
		{"DATABASE_URL", db, "needs sslmode"},
		{"DATABASE_URL", db + "?sslmode=disable", "needs sslmode"},
		{"DATABASE_URL", db + "?sslmode=prefer", "needs sslmode"},
		{"DATABASE_URL", "postgres://postgres:pw-one@db.example/gatehouse?sslmode=verify-full", "must not be the superuser"},
		{"DATABASE_URL", "postgres://gatehouse_provisioner:pw-two@db.example/gatehouse?sslmode=verify-full", "must be another role"},
		{"DATABASE_URL", "postgres://gatehouse_provisioner:else@other.example/gatehouse?sslmode=verify-full", "must be another role"},
		{"DATABASE_URL", "postgres://gatehouse_runtime:pw-one@db.example/other?sslmode=verify-full", "must name the same database"},
		{"DATABASE_URL", "mysql://a:pw-one@db.example/gatehouse", "is not a Postgres URL"},
		{"DATABASE_DIRECT_URL", db, "GATEHOUSE_DATABASE_DIRECT_URL: needs sslmode"},
		{"DATABASE_DIRECT_URL", "postgres://somebody:pw-one@db.example/gatehouse?sslmode=verify-full", "must be the same role as GATEHOUSE_DATABASE_URL"},
		{"DATABASE_DIRECT_URL", "postgres://gatehouse_runtime:pw-one@db.example/other?sslmode=verify-full", "must name the same database as GATEHOUSE_DATABASE_DIRECT_URL"},
		{"PROVISIONER_DATABASE_URL", "postgres://p:pw-two@db.example/gatehouse?sslmode=allow", "needs sslmode"},
		{"DATABASE_CAPACITY", "2001", "must be a number from 0 to 2000"},
		{"DATABASES_FILE", "/nowhere", "no such file"},
		{"READY_SCHEMAS", "101", "must be a number from 0 to 100"},
		{"REPLICAS", "0", "must be a number from 1 to 1000"},
		{"METRICS_LISTEN", "9090", "must be HOST:PORT"},
		{"DATABASE_CONNECTIONS", "1", "must be a number from 2 to 200"},
		{"DATABASE_CONNECTIONS", "many", "must be a number from 2 to 200"},
		{"VAULT_ADDR", "", "is required"},
		{"VAULT_ADDR", "vault.example", "must be a URL"},
		{"VAULT_ADDR", "http://vault.example:8200", "must be https"},
		{"VAULT_KUBERNETES_ROLE", "", "exactly one of them is needed"},
		{"VAULT_TOKEN", "hvs.pw-four", "exactly one of them is needed"},
		{"VAULT_PROVISIONER_SECRET_ID", "", "exactly one of them is needed beside"},
		{"VAULT_PROVISIONER_SECRET_ID_FILE", "/run/secret", "exactly one of them is needed beside"},
		{"SMTP_URL", "mail.example:587", "must be a URL such as"},
		{"SMTP_URL", "http://mail.example", "must be a URL such as"},
		{"SMTP_URL", "smtp://mailer:pw-five@mail.example", "must not hold the password"},
		{"SMTP_URL", "smtp://mail.example?tls=none", "cross the network in the clear"},
		{"SMTP_URL", "smtp://mail.example?tls=maybe", "takes tls=starttls or tls=none"},
		{"SMTP_URL", "smtp://mail.example?debug=1", "takes tls=starttls or tls=none"},
		{"SMTP_URL", "smtp://mail.example:0", "has no port"},
		{"SMTP_URL", "smtp://mail.example", "GATEHOUSE_MAIL_FROM: is required"},
		{"SMTP_PASSWORD", "pw-five", "neither is of use without the other"},
		{"SMTP_CA_FILE", "/nowhere", "no such file"},
		{"MAIL_FROM", "Acme <no-reply@id.example>", "must be an e-mail address"},
		{"MAIL_FROM", "no-reply", "must be an e-mail address"},
		{"BREACH_FILTER_REQUIRED", "yes", "must be true or false"},
		{"BREACH_FILTER_REQUIRED", "true", "GATEHOUSE_BREACH_FILTER: is required"},
		{"LOG_LEVEL", "loud", "must be debug"},
		{"LOG_FORMAT", "xml", "must be json or text"},
		{"SHUTDOWN_DELAY", "-1s", "must be a time"},
		{"SHUTDOWN_DELAY", "5", "must be a time"},
	} {
		env := maps.Clone(aSafeInstallation)
		env["GATEHOUSE_"+c.name] = c.value
		_, err := read(t, env)
		switch {
		case err == nil:
			t.Errorf("%s=%q is taken", c.name, c.value)
		case !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "GATEHOUSE_"):
			t.Errorf("%s=%q: %v, want %q", c.name, c.value, err, c.want)
		case strings.Contains(err.Error(), "pw-"):
			t.Errorf("%s=%q: the error holds a secret: %v", c.name, c.value, err)
		}
	}
	login := maps.Clone(aSafeInstallation)
	login["GATEHOUSE_SMTP_URL"], login["GATEHOUSE_MAIL_FROM"] = "smtps://mailer@mail.example", "no-reply@id.example"
	if _, err := read(t, login); err == nil || !strings.Contains(err.Error(), "neither is of use without the other") {
		t.Errorf("a mail server's user without a password: %v", err)
	}
	same := maps.Clone(aSafeInstallation)
	delete(same, "GATEHOUSE_VAULT_KUBERNETES_ROLE")
	same["GATEHOUSE_VAULT_ROLE_ID"], same["GATEHOUSE_VAULT_SECRET_ID"] = "role", "other"
	if _, err := read(t, same); err == nil || !strings.Contains(err.Error(), "must be another login") {
		t.Errorf("one login to Vault for both: %v", err)
	}
}

// withDatabases is a safe installation with a file of more databases.
func withDatabases(t *testing.T, file string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "databases.json")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	env := maps.Clone(aSafeInstallation)
	env["GATEHOUSE_DATABASES_FILE"] = path
	return env
}

// entry is a good one of the file, named as told.
func entry(name, more string) string {
	return fmt.Sprintf(`{"name":%q,"url":"postgres://rt2:pw-six@db2.example/%[1]s?sslmode=verify-full","provisioner_url":"postgres://pr2:pw-seven@db2.example/%[1]s?sslmode=verify-full"%s}`, name, more)
}

func TestDatabasesFileRefuses(t *testing.T) {
	t.Parallel()
	const two = `"provisioner_url":"postgres://pr2:pw-seven@db2.example/two?sslmode=verify-full"`
	for _, c := range []struct{ entries, want string }{
		{`{"name":"Two"}`, "databases[0].name must be up to 40 of a-z, 0-9 and -, such as shared-2; databases[0].url is required; databases[0].provisioner_url is required"},
		{`{"name":"two","password":"pw-eight"}`, "password"},
		{`{"name":"two","capacity":"many"}`, "capacity"},
		{entry("two", `,"capacity":2001`), "databases[0].capacity must be a number from 0 to 2000"},
		{entry("two", `,"connections":1`), "databases[0].connections must be at least 2"},
		{entry("two", `,"connections":9`), "10 are not enough for 2 databases: shared-1 would have 1 and needs 2"},
		{entry("a", "") + "," + entry("a", ""), "a: name: is the name of two databases"},
		{entry("shared-1", ""), "shared-1: name: is the name of two databases"},
		{entry("two", "") + "," + entry("three", ""), "three: url: must be another role than that of two on the same server"},
		{entry("two", "") + "," + strings.Replace(entry("two", ""), `"two"`, `"three"`, 1), "three: url: names the database that two is"},
		{`{"name":"two","url":"postgres://rt2:pw-six@db2.example/two",` + two + `}`, "two: url: needs sslmode"},
		{`{"name":"two","url":"postgres://pr2:pw-six@db2.example/two?sslmode=verify-full",` + two + `}`, "two: provisioner_url: must be another role"},
		{`{"name":"two","url":"postgres://rt2:pw-six@db2.example/else?sslmode=verify-full",` + two + `}`, "two: provisioner_url: must name the same database"},
		{`{"name":"two","url":"postgres://postgres:pw-six@db2.example/two?sslmode=verify-full",` + two + `}`, "two: url: must not be the superuser"},
		{`{"name":"two","url":"mysql://pw-six@x",` + two + `}`, "two: url: is not a Postgres URL"},
	} {
		_, err := read(t, withDatabases(t, `{"databases":[`+c.entries+`]}`))
		switch {
		case err == nil:
			t.Errorf("%s is taken", c.entries)
		case !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "GATEHOUSE_DATABASE"):
			t.Errorf("%s: %v, want %q", c.entries, err, c.want)
		case strings.Contains(err.Error(), "pw-"):
			t.Errorf("%s: the error holds a secret: %v", c.entries, err)
		}
	}
}

// TestConnectionsAreDivided: each database has what it was told or an even part of the rest, and all have the total.
func TestConnectionsAreDivided(t *testing.T) {
	t.Parallel()
	env := withDatabases(t, `{"databases":[`+entry("two", `,"connections":4,"capacity":7`)+","+strings.ReplaceAll(entry("three", ""), "db2", "db3")+`]}`)
	env["GATEHOUSE_DATABASE_CONNECTIONS"] = "13"
	c, err := read(t, env)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range c.databases() {
		got = append(got, fmt.Sprint(d.Name, " ", d.Connections, " ", d.Capacity))
	}
	if want := []string{"shared-1 5 1000", "two 4 7", "three 4 1000"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if said := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(said, "pw-") {
		t.Errorf("a configuration prints its secrets: %s", said)
	}
}

// Who has to fix ten settings wants to read of ten.
func TestConfigurationReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"GATEHOUSE_PUBLIC_URL=http://id.example.com", "GATEHOUSE_DATABASE_URL=postgres://postgres@db/x", "GATEHOUSE_LISTEN=x",
		"GATEHOUSE_VAULT_ADDR=http://vault.example", "GATEHOUSE_TRUSTED_PROXIES=0.0.0.0/0", "GATEHOUSE_LOG_LEVEL=x", softwareCustody + "=/tmp"}, "serve")
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"GATEHOUSE_PUBLIC_URL: must be https", "GATEHOUSE_DATABASE_URL: must not be the superuser", "GATEHOUSE_LISTEN: must be",
		"GATEHOUSE_TRUSTED_PROXIES: 0.0.0.0/0", "GATEHOUSE_LOG_LEVEL: must be", "GATEHOUSE_REGION: is required",
		"GATEHOUSE_PROVISIONER_DATABASE_URL: is required", softwareCustody + ": is for development", "GATEHOUSE_VAULT_ADDR: must be https"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("does not say %q:\n%s", want, p.stderr.String())
		}
	}
}

func TestServeRefusesSoftwareCustody(t *testing.T) {
	t.Parallel()
	env := environment(aSafeInstallation, softwareCustody+"="+t.TempDir())
	launch(t, env, "serve").refuses("is for development, serve keeps keys in Vault only")
}

func TestFlagGoesBeforeEnvironment(t *testing.T) {
	t.Parallel()
	env := maps.Clone(aSafeInstallation)
	env["GATEHOUSE_LOG_FORMAT"], env["GATEHOUSE_VAULT_AUTH_MOUNT"] = "text", "here"
	c, err := read(t, env, "--log-format", "json", "--database-connections=7")
	if err != nil {
		t.Fatal(err)
	}
	if c.LogFormat != "json" || c.DatabaseConnections != 7 || c.Listen != ":8080" || c.Vault.Login.Mount != "here" || c.VaultProvisioner.Mount != "here" {
		t.Errorf("%+v", c)
	}
	if said := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(said, "pw-") {
		t.Errorf("a configuration prints its secrets: %s", said)
	}
}

var update = flag.Bool("update", false, "write the generated part of docs/configuration.md anew")

// The page, the help and the parser are made from one list.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	const begin, end = "<!-- settings: written by go test ./cmd/gatehouse -run TestConfigurationPage -update -->\n", "<!-- end of settings -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("the page has lost the marks around its table")
	}
	want := before + begin + "\n" + settingsTable() + "\n" + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Error("the table of settings is not that of settings.go: go test ./cmd/gatehouse -run TestConfigurationPage -update")
	}

	var help strings.Builder
	if err := run(context.Background(), []string{"serve", "--help"}, os.Getenv, strings.NewReader(""), &help, &help); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range settings {
		names = append(names, s.env())
		for what, where := range map[string]string{"help": help.String(), "page": want} {
			if n := strings.Count(where, s.doc); n != 1 && !repeated(s.doc) {
				t.Errorf("the %s describes %s %d times", what, s.env(), n)
			}
		}
		if n := strings.Count(help.String(), "  "+s.env()+"  ") + strings.Count(help.String(), "  "+s.env()+"\n"); n != 1 {
			t.Errorf("the help lists %s %d times", s.env(), n)
		}
		flags := strings.Count(help.String(), "  --"+s.flag()+"  ") + strings.Count(help.String(), "  --"+s.flag()+"\n")
		if want := map[bool]int{true: 1, false: 0}[s.flagged()]; flags != want {
			t.Errorf("the help lists --%s %d times, want %d", s.flag(), flags, want)
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(settings) {
		t.Error("a setting is in the list twice")
	}
	for _, file := range []string{"tenancy/custody/policy/runtime.hcl", "tenancy/custody/policy/provisioner.hcl"} {
		if _, err := os.Stat("../../" + file); err != nil || !strings.Contains(want, file) {
			t.Errorf("the page does not name %s (%v)", file, err)
		}
	}
}

// repeated tells a sentence that two settings share.
func repeated(doc string) bool {
	n := 0
	for _, s := range settings {
		if strings.Contains(s.doc, doc) {
			n++
		}
	}
	return n > 1
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | what it is |\n|---|---|---|---|\n")
	for _, s := range settings {
		flag, fallback := "`--"+s.flag()+"`", s.fallback
		if s.secret {
			flag = "none: secret"
		} else if s.flagless {
			flag = "none"
		}
		if s.required {
			fallback = "**required**"
		} else if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.env(), flag, fallback, s.doc)
	}
	return b.String()
}

func TestMailServersAreReadAsTheyAreMeant(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]mail.Server{
		"smtp://mail.example":                            {Host: "mail.example", Port: 587, Security: mail.StartTLS},
		"smtp://mailer@mail.example:25":                  {Host: "mail.example", Port: 25, Security: mail.StartTLS, Username: "mailer"},
		"smtp://mailer%40id.example@[2001:db8::1]:2525/": {Host: "2001:db8::1", Port: 2525, Security: mail.StartTLS, Username: "mailer@id.example"},
		"smtps://mail.example":                           {Host: "mail.example", Port: 465, Security: mail.ImplicitTLS},
		"smtps://localhost":                              {Host: "localhost", Port: 465, Security: mail.ImplicitTLS},
		"smtp://localhost":                               {Host: "localhost", Port: 25, Security: mail.Plain},
		"smtp://127.0.0.1:1025?tls=none":                 {Host: "127.0.0.1", Port: 1025, Security: mail.Plain},
		"smtp://127.0.0.1:1025?tls=starttls":             {Host: "127.0.0.1", Port: 1025, Security: mail.StartTLS},
		"smtp://mail.example?tls=starttls":               {Host: "mail.example", Port: 587, Security: mail.StartTLS},
	} {
		var got mail.Server
		if err := parseMailServer(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}
