package pgproc_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
)

func TestClusterSurvivesStopAndStart(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	server := start(t, o)
	exec(t, server.SuperuserURL(), "create table kept as select 'yes'::text as answer")
	if got := exec(t, server.SuperuserURL(), "show listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listens on %q, want loopback only", got)
	}
	for range 2 {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if pid := server.PID(); pid != 0 {
		t.Errorf("PID %d after Stop, want 0", pid)
	}
	again := start(t, o)
	if got := exec(t, again.SuperuserURL(), "select answer from kept"); got != "yes" {
		t.Errorf("after a second start the table holds %q", got)
	}
}

func TestPasswordIsPrivateAndNeeded(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	server := start(t, o)
	info, err := os.Stat(filepath.Join(o.Dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the password file has mode %v, want 0600", info.Mode())
	}
	if got := exec(t, server.SuperuserURL(), "select rolpassword from pg_authid where rolname = current_user"); !strings.HasPrefix(got, "SCRAM-SHA-256$") {
		t.Error("the password is not kept as scram")
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(filepath.Join(o.Dir, "password"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, o, "does not take the password")
	if err := os.Remove(filepath.Join(o.Dir, "password")); err != nil {
		t.Fatal(err)
	}
	refuses(t, o, "is lost")
}

func TestRestartKeepsTheAddress(t *testing.T) {
	t.Parallel()
	server := start(t, options(t, clusterDir(t)))
	url, pid := server.SuperuserURL(), server.PID()
	if err := server.Restart(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if server.SuperuserURL() != url || server.PID() == pid {
		t.Errorf("after Restart: same url %v, same pid %v", server.SuperuserURL() == url, server.PID() == pid)
	}
	exec(t, url, "select 'answers'")
	server.Kill()
	<-server.Done()
	if err := server.Restart(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "select 'answers'")
}

func TestStartAfterKill(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	server := start(t, o)
	exec(t, server.SuperuserURL(), "create table kept as select 'yes'::text as answer")
	if err := syscall.Kill(server.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	if err := server.Stop(); err != nil { // the owner notices, and lets the directory go
		t.Fatal(err)
	}
	again := start(t, o)
	if got := exec(t, again.SuperuserURL(), "select answer from kept"); got != "yes" {
		t.Errorf("after a crash the table holds %q", got)
	}
}

func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	server := start(t, o)
	refuses(t, o, "another gatehouse is running")
	exec(t, server.SuperuserURL(), "select 'still here'")
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := options(t, clusterDir(t))
	o.Port = l.Addr().(*net.TCPAddr).Port
	refuses(t, o, "is taken by another program")
	o.Port = 0
	start(t, o)
}

func TestHalfWrittenDirectory(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	partial := filepath.Join(o.Dir, "data.partial-1")
	if err := os.MkdirAll(filepath.Join(partial, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, o)
	if _, err := os.Stat(partial); !os.IsNotExist(err) {
		t.Errorf("what a killed initdb left is still there: %v", err)
	}
}

func TestDamagedDirectory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, content, want string }{
		"no version": {"base/1", "", "is not a whole Postgres cluster"},
		"old major":  {"PG_VERSION", "9\n", "was made by Postgres 9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, clusterDir(t))
			file := filepath.Join(o.Dir, "data", c.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, o, c.want)
		})
	}
}

// refuses wants Start to fail with one sentence that holds the text.
func refuses(t *testing.T, o pgproc.Options, want string) {
	t.Helper()
	server, err := pgproc.Start(within(t, time.Minute), o)
	if err == nil {
		_ = server.Stop()
		t.Fatalf("Start succeeded, want a refusal with %q", want)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Start: %v\nwant one line with %q", err, want)
	}
}
