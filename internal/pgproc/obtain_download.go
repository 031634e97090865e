package pgproc

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// downloadVersion is the newest release of the major version that is measured and deployed.
const downloadVersion = embeddedpostgres.V15

// download fetches prebuilt programs into the user's cache. The library has no call for fetching alone, so a server is
// started in a scratch directory and stopped again; as root its initdb refuses to run, by which time the programs
// are there. They are unpacked beside their final place and renamed, so that a killed download leaves nothing that looks complete.
func download(ctx context.Context, w io.Writer) (binDir string, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	final := filepath.Dir(downloaded(cache))
	scratch, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)

	fmt.Fprintf(w, "postgres: downloading prebuilt programs %s into %s (once)\n", downloadVersion, cache)
	port, err := freePort()
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(scratch, "programs")
	library := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(downloadVersion).Port(uint32(port)).CachePath(cache).BinariesPath(unpacked). //nolint:gosec // a port fits
		RuntimePath(filepath.Join(scratch, "run")).StartTimeout(time.Minute).Logger(io.Discard))
	started := make(chan error, 1)
	go func() {
		err := library.Start()
		if err == nil {
			_ = library.Stop()
		}
		started <- err
	}()
	select {
	case err = <-started:
	case <-ctx.Done(): // the library takes no context; what it still writes goes to the scratch directory
		return "", ctx.Err()
	}
	if !usable(filepath.Join(unpacked, "bin")) {
		if err == nil {
			err = ErrNotFound
		}
		return "", fmt.Errorf("prebuilt Postgres programs: %w", err)
	}
	if err := os.Rename(unpacked, final); err != nil && !usable(filepath.Join(final, "bin")) {
		return "", err // usable after a failed rename: another process finished first
	}
	return filepath.Join(final, "bin"), nil
}

// cacheDir is the user's cache; root's home is closed to the account that the server runs as, so root uses /var/cache.
func cacheDir() (string, error) {
	dir := "/var/cache/gatehouse"
	if os.Geteuid() != 0 {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "gatehouse")
	}
	return dir, nil
}

// downloaded is where a download ends up.
func downloaded(cache string) (binDir string) {
	return filepath.Join(cache, "postgres-"+string(downloadVersion), "bin")
}
