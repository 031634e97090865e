package pgproc_test

import (
	"bufio"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The state directory of root is often under /root, which the server's account cannot enter.
func TestRootWithAClosedHome(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("is about root: an ordinary user runs the server under its own account")
	}
	closed := filepath.Dir(clusterDir(t))
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(t, filepath.Join(closed, "pg"))
	server := start(t, o)
	exec(t, server.SuperuserURL(), "create table kept as select 'yes'::text as answer")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, o)
	if got := exec(t, again.SuperuserURL(), "select answer from kept"); got != "yes" {
		t.Errorf("after a second start the table holds %q", got)
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}

	if err := os.RemoveAll(o.Dir); err != nil { // what the user is told to do to start afresh
		t.Fatal(err)
	}
	fresh := start(t, o)
	if got := exec(t, fresh.SuperuserURL(), "select coalesce(to_regclass('kept')::text, 'gone')"); got != "gone" {
		t.Errorf("after the state directory was wiped the table is %s", got)
	}
}

// The kernel or the next Start: one of them ends the server of a parent that was killed.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	o := options(t, clusterDir(t))
	parent := osexec.Command(os.Args[0])
	url := startHelper(t, parent, o.Dir)
	exec(t, url, "create table kept as select 'yes'::text as answer")
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	server := start(t, o)
	if got := exec(t, server.SuperuserURL(), "select answer from kept"); got != "yes" {
		t.Errorf("after the parent was killed the table holds %q", got)
	}
}

func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	cmd, home := ordinary(t)
	url := startHelper(t, cmd, filepath.Join(home, "pg"))
	exec(t, url, "select 'answers'")
}

// Neither installed, nor installable, nor reachable: what the user reads is one sentence.
func TestObtainWithoutNetwork(t *testing.T) {
	t.Parallel()
	cmd, home := ordinary(t)
	cmd.Env = []string{helperObtain + "=1", "PATH=/nonexistent", "HOME=" + home, "TMPDIR=" + home, "HTTPS_PROXY=http://127.0.0.1:1"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.TrimSpace(string(out))
	if !strings.HasPrefix(said, "no Postgres server is installed and none could be fetched") || strings.Contains(said, "\n") {
		t.Errorf("Obtain says %q", said)
	}
}

// ordinary is the stand-in run by an ordinary user with a home directory: by nobody if this test runs as root.
func ordinary(t *testing.T) (cmd *osexec.Cmd, home string) {
	t.Helper()
	dir := filepath.Dir(clusterDir(t))
	program := filepath.Join(dir, "program") // the test binary's own directory is closed to others
	copyFile(t, os.Args[0], program)
	home = filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd = osexec.Command(program)
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd, home
}

// startHelper starts the stand-in, waits for its server and returns the server's URL.
func startHelper(t *testing.T, cmd *osexec.Cmd, dir string) string {
	t.Helper()
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	cmd.Dir = "/"
	cmd.WaitDelay = 5 * time.Second
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
	})
	line, _ := bufio.NewReader(output).ReadString('\n')
	pid, url, _ := strings.Cut(strings.TrimSpace(line), " ")
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatalf("the stand-in says %q", line)
	}
	return url
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
