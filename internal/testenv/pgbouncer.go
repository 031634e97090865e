package testenv

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/child"
)

// pgbouncer is where Debian's package puts it, which is not on an ordinary user's path.
const pgbouncer = "/usr/sbin/pgbouncer"

// PgBouncer starts one before the server of a URL, for the role and the database of that URL, and returns the URL that leads
// through it. It lends size server connections by the transaction.
func PgBouncer(tb testing.TB, direct string, size int) (through string) {
	tb.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		tb.Fatal("no PgBouncer for the test: what it is to stand before is not a URL")
	}
	for range 10 { // the port may be taken by another between the look and its own bind
		if u.Host, err = startPgBouncer(tb, u, size); err == nil {
			return u.String()
		}
	}
	tb.Fatalf("no PgBouncer for the test: %v", err)
	return ""
}

func startPgBouncer(tb testing.TB, server *url.URL, size int) (address string, err error) {
	tb.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-pgbouncer-")
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		return "", err
	}
	password, _ := server.User.Password()
	files := map[string]string{
		"users": fmt.Sprintf("%q %q\n", server.User.Username(), password),
		"ini": fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
server_login_retry = 1
`, server.Hostname(), server.Port(), port, filepath.Join(dir, "users"), size),
	}
	cmd := exec.Command(pgbouncer, filepath.Join(dir, "ini"))
	cmd.Dir = "/"
	var log strings.Builder
	cmd.Stderr = &log
	uid, gid, err := unprivileged()
	if err != nil {
		return "", err
	}
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // ids of the system
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			return "", err
		}
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return "", err
	}
	run, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", fmt.Errorf("%w (Debian's package pgbouncer has it)", err)
	}
	tb.Cleanup(func() { _ = run.Signal(syscall.SIGKILL); <-run.Done() }) // nothing of it is to be kept
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(tb.Context(), "tcp", address)
		if err == nil {
			return address, conn.Close()
		}
		select {
		case <-run.Done():
			return "", fmt.Errorf("it ended: %s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// unprivileged is who may run it: it refuses root.
func unprivileged() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return os.Getuid(), os.Getgid(), nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(nobody.Uid)
	if err == nil {
		gid, err = strconv.Atoi(nobody.Gid)
	}
	return uid, gid, err
}
