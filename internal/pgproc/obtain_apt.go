package pgproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// aptScript installs the server without the cluster that Debian otherwise creates and starts on port 5432: nobody
// asked for it, and it would stay. The setting is a drop-in file that lives as long as the installation; clusters and
// settings that are there already are not touched. The package lists of a fresh machine or image are empty or old, so
// the first failure is answered with an update.
const aptScript = `
export DEBIAN_FRONTEND=noninteractive
drop=/etc/postgresql-common/createcluster.d
mkdir -p "$drop"
printf 'create_main_cluster = false\n' > "$drop/zz-gatehouse-install.conf"
trap 'rm -f "$drop/zz-gatehouse-install.conf"; rmdir "$drop" 2>/dev/null || true' EXIT
get() { apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 install postgresql; }
get || { apt-get -q -o Acquire::Retries=2 update && get; }
`

// aptInstall installs Debian's package as root, or through a sudo that asks for no password: a prompt in the middle of
// `make dev` or in CI would hang it.
func aptInstall(ctx context.Context, w io.Writer) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("apt-get is not on this machine")
	}
	argv := []string{"sh", "-eu", "-c", aptScript}
	if os.Geteuid() != 0 {
		if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
			return errors.New("apt-get needs root, and sudo without a password is not set up")
		}
		argv = append([]string{"sudo", "-n"}, argv...)
	}
	fmt.Fprintln(w, "postgres: not found on this machine; installing the package postgresql with apt-get (once)")
	var out tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = waitDelay
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get could not install postgresql: %s", out.last("E:", "Err"))
	}
	return nil
}
