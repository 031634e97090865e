package child_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/child"
)

// The parent is this test binary once more: it starts a program, tells its number and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("sh", "-c", "echo $$; exec sleep 600")
	cmd.Stdout = os.Stdout
	if _, err := child.Start(cmd, syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

func TestAChildEndsWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	_, first := said.ReadString('\n')
	if err := parent.Process.Kill(); err != nil || first != nil {
		t.Fatal(err, first)
	}
	gone := make(chan error, 1)
	go func() { _, err := said.ReadString('\n'); gone <- err }() // the child holds the other end open as long as it lives
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the child lives on")
	}
	_ = parent.Wait()
}

func TestAChildIsInAGroupOfItsOwnAndTellsHowItEnded(t *testing.T) {
	t.Parallel()
	p, err := child.Start(exec.Command("sh", "-c", "kill -STOP $$; exit 3"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(p.PID()); err != nil || group != p.PID() {
		t.Errorf("group %d of process %d, %v", group, p.PID(), err)
	}
	for ended := false; !ended; ended = p.EndsWithin(10 * time.Millisecond) {
		_ = p.Signal(syscall.SIGCONT)
	}
	var exit *exec.ExitError
	if !errors.As(p.Err(), &exit) || exit.ExitCode() != 3 {
		t.Errorf("ended by %v, want exit status 3", p.Err())
	}
}

func TestWhatCannotBeStartedHasEnded(t *testing.T) {
	t.Parallel()
	p, err := child.Start(exec.Command("./no such program"), syscall.SIGKILL)
	if err == nil || !strings.Contains(err.Error(), "no such program") {
		t.Fatalf("error %v", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to nobody: %v", err)
	}
	if !p.EndsWithin(time.Minute) || p.Alive() || p.Err() == nil {
		t.Error("it has not ended")
	}
}
