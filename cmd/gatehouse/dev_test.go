package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
)

// The life of a development platform: made, stopped, started, killed, started; users, keys and tokens stay.
func TestDevKeepsWhatItMade(t *testing.T) {
	t.Parallel()
	state := stateFolder(t)
	p, first := startDev(t, state)
	checkDevFile(t, state, first)
	token := signIn(t, first, first.Tenants[0])
	for _, tenant := range first.Tenants {
		signIn(t, first, tenant)
	}
	if a := call(t, first, "globex.localhost", "GET", "/v1/users/me/profile", token, nil); a.text("code") != "tenant_mismatch" {
		t.Errorf("acme's token at globex: %d %s", a.status, a.body)
	}
	launch(t, nil, "dev", "--state", state, "--listen", "127.0.0.1:0").refuses("another gatehouse dev is running on the state folder")
	database := databaseOf(t, state)
	p.stop(syscall.SIGINT, state)

	// What is written for scripts is written anew, whatever became of it.
	if err := os.WriteFile(filepath.Join(state, "dev.json"), []byte(`{"url":"http://loc`), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p, second := startDev(t, state)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the second start took %s", took)
	}
	sameFacts(t, first, second)
	works(t, second, token)
	if now := databaseOf(t, state); now != database {
		t.Errorf("Postgres moved from %s to %s", database, now)
	}

	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait()
	if err := os.Remove(filepath.Join(state, "dev.json")); err != nil {
		t.Fatal(err)
	}
	p, third := startDev(t, state)
	sameFacts(t, first, third)
	works(t, third, token)
	p.stop(syscall.SIGTERM, state)

	// Another program has taken the port of Postgres meanwhile.
	other, err := net.Listen("tcp", databaseOf(t, state))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p, fourth := startDev(t, state)
	works(t, fourth, token)
	p.stop(syscall.SIGTERM, state)
}

// databaseOf is the address of Postgres that operators' commands are told.
func databaseOf(t *testing.T, state string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "env"))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`GATEHOUSE_DATABASE_URL='.*@(.*)/`).FindStringSubmatch(string(text))[1]
}

// checkDevFile holds dev.json to the shape that scripts rely on, member by member.
func checkDevFile(t *testing.T, state string, f devFile) {
	t.Helper()
	info, err := os.Stat(filepath.Join(state, "dev.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("dev.json holds passwords: mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(state, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw any
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	want := "{mail_url platform:{api_key tenant_id} tenants:[{admin_api_key host id slug users:[{email password role}]}] url}"
	if got := shape(raw); got != want {
		t.Errorf("dev.json is\n%s, want\n%s", got, want)
	}
	if !regexp.MustCompile(`^http://localhost:\d+$`).MatchString(f.URL) {
		t.Errorf("url %q", f.URL)
	}
	hosts := []string{}
	for _, tenant := range f.Tenants {
		hosts = append(hosts, string(tenant.Slug)+"="+string(tenant.Host))
		if a := call(t, f, string(tenant.Host), "GET", "/.well-known/openid-configuration", "", nil); a.status != 200 {
			t.Errorf("discovery of %s: %d %s", tenant.Slug, a.status, a.body)
		}
	}
	if !slices.Equal(hosts, []string{"acme=acme.localhost", "globex=globex.localhost"}) {
		t.Errorf("tenants %v", hosts)
	}
}

// shape writes the names of a JSON value's members, of an array its first element's.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var names []string
		for name, member := range v {
			if inner := shape(member); inner != "" {
				name += ":" + inner
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return "{" + strings.Join(names, " ") + "}"
	case []any:
		return "[" + shape(v[0]) + "]"
	}
	return ""
}

// sameFacts wants two dev.json to agree.
func sameFacts(t *testing.T, a, b devFile) {
	t.Helper()
	if !reflect.DeepEqual(a, b) {
		t.Errorf("users or keys changed from\n%+v\nto\n%+v", a, b)
	}
}

// Each of these is one sentence, and nothing is started.
func TestDevRefusesAtOnce(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	root := stateFolder(t)
	folder := func(name, file, content string) string {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	kept := func(custody string) string {
		return folder(strings.ReplaceAll(custody, " ", "-"), "secrets.json", `{"runtime_password":"a","provisioner_password":"b","custody":"`+custody+`"}`)
	}
	const free = "127.0.0.1:0"
	for name, c := range map[string]struct {
		state, listen, want string
		env                 []string
	}{
		"every interface":      {filepath.Join(root, "new"), "0.0.0.0:0", "loopback only", nil},
		"no host":              {filepath.Join(root, "new"), ":0", "loopback only", nil},
		"not an address":       {filepath.Join(root, "new"), "8080", "must be HOST:PORT", nil},
		"no such port":         {filepath.Join(root, "new"), "127.0.0.1:99999", "invalid port", nil},
		"port taken":           {filepath.Join(root, "new"), taken.Addr().String(), "another program does", nil},
		"state is a file":      {filepath.Join(folder("file", "f", ""), "f"), free, "cannot make the state folder", nil},
		"secrets cut short":    {folder("cut", "secrets.json", `{"runtime_pass`), free, "secrets.json cannot be read", nil},
		"secrets empty":        {folder("empty", "secrets.json", ``), free, "secrets.json cannot be read", nil},
		"secrets gone":         {folder("gone", "postgres/password", `x`), free, "secrets.json is gone", nil},
		"somebody's folder":    {folder("home", "thesis.txt", `x`), free, "holds something else (thesis.txt)", nil},
		"no token":             {filepath.Join(root, "new"), free, "VAULT_TOKEN is not", []string{"VAULT_ADDR=http://127.0.0.1:1"}},
		"token in the clear":   {filepath.Join(root, "new"), free, "must be https", []string{"VAULT_ADDR=http://vault.example:8200", "VAULT_TOKEN=x"}},
		"files before":         {kept(custodySoftware), free, "would use the Vault of VAULT_ADDR", []string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=x"}},
		"another Vault before": {kept(custodyAddress), free, "set VAULT_ADDR and VAULT_TOKEN as before (make dev-vault does)", nil},
	} {
		launch(t, c.env, "dev", "--state", c.state, "--listen", c.listen).refuses(c.want)
		nothingLeft(t, root)
		if _, err := os.Stat(filepath.Join(c.state, "lock")); name == "somebody's folder" && err == nil {
			t.Error("somebody's folder has a lock of ours now")
		}
		if left, _ := filepath.Glob(filepath.Join(c.state, "postgres", "data*")); left != nil {
			t.Errorf("%s: made before it refused: %v", name, left)
		}
	}
}

// A folder that somebody has been at, and a start that was killed.
func TestDevHalfWritten(t *testing.T) {
	t.Parallel()
	state := stateFolder(t)
	p := launch(t, nil, "dev", "--state", state, "--listen", "127.0.0.1:0")
	eventually(t, time.Minute, "initdb is at work", func() bool {
		half, _ := filepath.Glob(filepath.Join(state, "postgres", "data.partial-*", "base"))
		return len(half) > 0
	})
	_ = p.cmd.Process.Kill()
	p.wait()
	p, f := startDev(t, state)
	signIn(t, f, f.Tenants[0])
	p.stop(syscall.SIGTERM, state)

	keys := filepath.Join(state, "keys")
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	refuseDev(t, state, "the keys of tenant platform are gone; remove the folder to start afresh")
	if err := errors.Join(os.RemoveAll(keys), os.Rename(keys+".away", keys)); err != nil {
		t.Fatal(err)
	}
	p, again := startDev(t, state)
	sameFacts(t, f, again)

	// And a Postgres that somebody killed: a platform that stays would answer 503 to everything.
	text, err := os.ReadFile(filepath.Join(state, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	p.refuses("Postgres has ended by itself")
	eventually(t, 10*time.Second, "its orphans are gone", func() bool { return len(processesOf(state)) == 0 })
}

// An interrupt in the middle of a start is a wish: everything is stopped, and it is no failure. The folder's name is one
// that shells and configuration files stumble over.
func TestDevInterruptedStart(t *testing.T) {
	t.Parallel()
	state := filepath.Join(filepath.Dir(stateFolder(t)), "it's \"here\"")
	p := launch(t, nil, "dev", "--state", state, "--listen", "127.0.0.1:0")
	p.says("creating tenant")
	p.stop(syscall.SIGINT, state)
	p, f := startDev(t, state)
	signIn(t, f, f.Tenants[1])

	shell := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script, "sh", filepath.Join(state, "env"), gatehouseBinary(t))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := shell(`. "$1"; echo "$ACME $ACME_EMAIL"`); got != strings.Replace(f.URL, "localhost", "acme.localhost", 1)+" ada@acme.example" {
		t.Errorf("env says %q", got)
	}
	if got := shell(`. "$1"; "$2" tenant list`); !strings.Contains(got, "acme") || !strings.Contains(got, "globex.localhost") {
		t.Errorf("tenant list says %q", got)
	}
	p.stop(syscall.SIGINT, state)
}

func TestDevOnTheVaultOfTheEnvironment(t *testing.T) {
	t.Parallel()
	address, token := testenv.Vault(t)
	vault := []string{"VAULT_ADDR=" + address, "VAULT_TOKEN=" + token}
	state := stateFolder(t)
	p, f := startDev(t, state, vault...)
	p.says("the Vault at " + address)
	old := signIn(t, f, f.Tenants[0])
	if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, token) {
		t.Error("the token was printed")
	}
	p.stop(syscall.SIGTERM, state)
	p, again := startDev(t, state, vault...)
	sameFacts(t, f, again)
	works(t, again, old)
	p.stop(syscall.SIGTERM, state)
	refuseDev(t, state, "cannot prepare the Vault at http://127.0.0.1:1", "VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=x")
}

// The installed Vault is the server of internal/vaultdev behind the name and command line of Vault's program.
func TestDevOnAnInstalledVault(t *testing.T) {
	t.Parallel()
	binary, err := vaultproc.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	state := stateFolder(t)
	programs := filepath.Join(filepath.Dir(state), "programs")
	if err := errors.Join(os.Mkdir(programs, 0o755), os.Symlink(binary, filepath.Join(programs, "vault"))); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + programs + ":" + os.Getenv("PATH")
	p, f := startDev(t, state, path)
	old := signIn(t, f, f.Tenants[0])
	keys, err := os.ReadFile(filepath.Join(state, "vault", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(state, "vault", "keys.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keys.json has mode %v (%v)", info.Mode(), err)
	}
	p.stop(syscall.SIGINT, state)

	p, again := startDev(t, state, path)
	sameFacts(t, f, again)
	works(t, again, old)
	if now, _ := os.ReadFile(filepath.Join(state, "vault", "keys.json")); !bytes.Equal(now, keys) {
		t.Error("address or keys of Vault changed from one start to the next")
	}
	_ = p.cmd.Process.Kill()
	p.wait()
	p, again = startDev(t, state, path)
	works(t, again, old)
	p.stop(syscall.SIGTERM, state)

	refuseDev(t, state, "there is no vault on PATH now", "PATH=/usr/bin:/bin")
	for file, want := range map[string]string{"keys.json": "the unseal key of its Vault, vault/keys.json, is gone", "data": "the storage of its Vault, vault/data, is gone"} {
		at := filepath.Join(state, "vault", file)
		if err := os.Rename(at, at+".away"); err != nil {
			t.Fatal(err)
		}
		refuseDev(t, state, want, path)
		if err := os.Rename(at+".away", at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDevOnABrokenVault(t *testing.T) {
	t.Parallel()
	state := stateFolder(t)
	programs := filepath.Join(filepath.Dir(state), "programs")
	script := "#!/bin/sh\necho 'this is no Vault' >&2\nexit 3\n"
	if err := errors.Join(os.Mkdir(programs, 0o755), os.WriteFile(filepath.Join(programs, "bao"), []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	refuseDev(t, state, "ended before it was ready: this is no Vault", "PATH="+programs+":"+os.Getenv("PATH"))
}

// A Vault that outlived its gatehouse is stopped by its command line.
func TestStopOrphans(t *testing.T) {
	t.Parallel()
	mark := "-config=" + filepath.Join(t.TempDir(), "config.json")
	orphan := exec.Command("sh", "-c", "trap '' HUP; while :; do sleep 0.1; done", "sh", mark)
	other := exec.Command("sh", "-c", "while :; do sleep 0.1; done", "sh", mark+".other")
	for _, cmd := range []*exec.Cmd{orphan, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
	}
	ended := make(chan error, 2)
	go func() { ended <- orphan.Wait() }()
	if err := stopOrphans(mark); err != nil {
		t.Fatal(err)
	}
	<-ended
	if pids := startedWith(mark + ".other"); len(pids) != 1 {
		t.Errorf("another program was stopped too: %v", pids)
	}
}

// Root runs Postgres as an unprivileged account; everybody else as themselves.
func TestDevAsAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; the other tests have just shown it for an ordinary one")
	}
	const nobody = 65534
	home := filepath.Dir(stateFolder(t))
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(home, "work", ".dev")
	run := func(state string) *program {
		cmd := exec.Command(gatehouseBinary(t), "dev", "--state", state, "--listen", "127.0.0.1:0")
		cmd.Dir = home
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return launchCommand(t, []string{"HOME=" + home}, cmd)
	}
	p := run(state)
	p.says("Ctrl-C stops it")
	f := readDevFile(t, state)
	signIn(t, f, f.Tenants[0])
	p.stop(syscall.SIGINT, state)

	// Root may take such a folder over, and give it back.
	p, _ = startDev(t, state)
	p.stop(syscall.SIGINT, state)
	mine := stateFolder(t)
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	run(mine).refuses("permission denied")
}
