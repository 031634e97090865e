package pgproc

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/child"
)

// waitDelay bounds the wait for a child's output after the child is gone: a grandchild can hold the pipe open.
const waitDelay = 2 * time.Second

// program is one of Postgres's, with the end of what it says.
type program struct {
	*child.Process
	output *tail
}

// spawn starts cmd under the account. SIGINT, which it gets when we are killed, is Postgres's fast shutdown, and ends initdb.
func spawn(cmd *exec.Cmd, as account, log io.Writer) (*program, error) {
	output := &tail{next: log}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = environment()
	cmd.WaitDelay = waitDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.credential}
	p, err := child.Start(cmd, syscall.SIGINT)
	return &program{p, output}, err
}

// environment is a short list on purpose: PG* variables would redirect the programs, LC_* change the messages that are
// looked for below, and the caller's secrets are no business of the server.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
