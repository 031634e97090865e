package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gatehouseBinary is the program as users get it, built once for the tests that need it at the same time and removed
// with the last of them.
func gatehouseBinary(t *testing.T) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.users == 0 {
		dir, err := os.MkdirTemp("", "gatehouse-binary-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "gatehouse"), ".").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := os.Chmod(dir, 0o755); err != nil { // one of the tests runs it as another account
			t.Fatal(err)
		}
	}
	built.users++
	t.Cleanup(func() {
		built.Lock()
		defer built.Unlock()
		if built.users--; built.users == 0 {
			_ = os.RemoveAll(built.dir)
		}
	})
	return filepath.Join(built.dir, "gatehouse")
}

var built struct {
	sync.Mutex
	dir   string
	users int
}

// program is one run of the binary.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *safeBuffer
	stderr *safeBuffer
	done   chan struct{}
	err    error
}

// launch starts the binary; env is added to a clean environment. It is killed with everything in its group at the end.
func launch(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	return launchCommand(t, env, exec.Command(gatehouseBinary(t), args...))
}

func launchCommand(t *testing.T, env []string, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, stdout: &safeBuffer{}, stderr: &safeBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			p.wait()
		}
	})
	return p
}

// wait waits for the end and returns the exit code; -1 is a death by signal.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("the program did not end\n%s%s", p.stdout.String(), p.stderr.String())
	}
	if exit := (*exec.ExitError)(nil); p.err != nil && !errors.As(p.err, &exit) {
		p.t.Error(p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits until the text is in what the program says.
func (p *program) says(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.stdout.String()+p.stderr.String(), text) {
			return
		}
		select {
		case <-p.done:
			p.t.Fatalf("ended without %q: %v\n%s%s", text, p.err, p.stdout.String(), p.stderr.String())
		default:
		}
	}
	p.t.Fatalf("does not say %q\n%s%s", text, p.stdout.String(), p.stderr.String())
}

// refuses waits for the end and wants one sentence that holds the text, and exit code 1.
func (p *program) refuses(text string) {
	p.t.Helper()
	code := p.wait()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	last := lines[len(lines)-1]
	if code != 1 || !strings.HasPrefix(last, "gatehouse: ") || !strings.Contains(last, text) {
		p.t.Errorf("%v: exit code %d, want 1 and a sentence with %q:\n%s", p.cmd.Args[1:], code, text, p.stderr.String())
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasSuffix(line, "...") && !strings.HasPrefix(line, "{") { // progress and the log; what went wrong is one line
			p.t.Errorf("more than one sentence:\n%s", p.stderr.String())
		}
	}
}

// stateFolder is a folder that Postgres' account can enter, which t.TempDir is not, gone with everything that was left in
// it when the test ends.
func stateFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-dev-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range processesOf(dir) {
			t.Errorf("process %d was left running", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = os.RemoveAll(dir)
	})
	return filepath.Join(dir, "state")
}

// processesOf lists the processes that work in the folder or name it on their command line.
func processesOf(dir string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		line, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(proc))
		if pid != os.Getpid() && (strings.HasPrefix(cwd, dir) || bytes.Contains(line, []byte(dir))) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// nothingLeft wants nothing of the folder to run.
func nothingLeft(t *testing.T, state string) {
	t.Helper()
	if pids := processesOf(state); len(pids) > 0 {
		t.Errorf("left running: %v", pids)
	}
}

// startDev runs gatehouse dev until it is ready, on the port of its last start: the port is part of the issuer, so that a
// token of one port is not valid on another.
func startDev(t *testing.T, state string, env ...string) (*program, devFile) {
	t.Helper()
	port := "0"
	if text, err := os.ReadFile(filepath.Join(state, "port")); err == nil {
		port = string(text)
	}
	p := launch(t, env, "dev", "--state", state, "--listen", "127.0.0.1:"+port)
	p.says("Ctrl-C stops it")
	f := readDevFile(t, state)
	_, port, _ = strings.Cut(strings.TrimPrefix(f.URL, "http://"), ":")
	if err := os.WriteFile(filepath.Join(state, "port"), []byte(port), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, f
}

// refuseDev runs gatehouse dev and wants it to refuse with one sentence, and to leave nothing running.
func refuseDev(t *testing.T, state, text string, env ...string) {
	t.Helper()
	launch(t, env, "dev", "--state", state, "--listen", "127.0.0.1:0").refuses(text)
	nothingLeft(t, state)
}

func readDevFile(t *testing.T, state string) (f devFile) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stop sends the signal and wants an orderly end with nothing left.
func (p *program) stop(sig syscall.Signal, state string) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(sig)
	if code := p.wait(); code != 0 {
		p.t.Errorf("exit code %d after %v:\n%s", code, sig, p.stderr.String())
	}
	nothingLeft(p.t, state)
}

// call sends a request to a tenant's host of a development platform.
func call(t *testing.T, f devFile, host, method, path, bearer string, body any) answer {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(f.URL, "http://"), ":")
	tp := &testPlatform{url: f.URL, address: "127.0.0.1:" + port}
	return tp.do(t, request{method: method, host: host + ":" + port, path: path, bearer: bearer, body: body})
}

// signIn gives an access token of a demo account.
func signIn(t *testing.T, f devFile, tenant devTenant) string {
	t.Helper()
	u := tenant.Users[0]
	a := call(t, f, string(tenant.Host), http.MethodPost, "/v1/auth/login", "", map[string]string{"email": string(u.Email), "password": u.Password})
	if a.status != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d %s", u.Email, a.status, a.body)
	}
	return a.text("token")
}

// works wants the token to be taken and the account to sign in again.
func works(t *testing.T, f devFile, token string) {
	t.Helper()
	tenant := f.Tenants[0]
	if a := call(t, f, string(tenant.Host), http.MethodGet, "/v1/users/me/profile", token, nil); a.status != http.StatusOK {
		t.Errorf("a token of an earlier run: %d %s", a.status, a.body)
	}
	signIn(t, f, tenant)
}
