package pgproc

import (
	"context"
	"fmt"
	"io"
)

// Obtain finds a Postgres server or gets one: Debian's package where apt-get can be used, else prebuilt programs kept
// in the user's cache. It writes a line to w before each step that may take long.
func Obtain(ctx context.Context, w io.Writer) (binDir string, err error) {
	if dir, err := Find(); err == nil {
		return dir, nil
	}
	aptErr := aptInstall(ctx, w)
	if aptErr == nil {
		var dir string
		if dir, aptErr = Find(); aptErr == nil {
			return dir, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	dir, downloadErr := download(ctx, w)
	if downloadErr == nil {
		return dir, nil
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("no Postgres server is installed and none could be fetched (is there a network?); "+
		"install PostgreSQL %d or newer and try again: %w; %w", oldestMajor, oneLine(aptErr), oneLine(downloadErr))
}
