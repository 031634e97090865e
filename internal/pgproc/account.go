package pgproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the server runs as. The zero account is the caller itself.
type account struct {
	name       string
	credential *syscall.Credential // nil: the caller
}

// chooseAccount picks the account for the data directory, which need not exist yet. Data that exists decides: Postgres
// refuses a directory that another account owns.
func chooseAccount(data string) (account, error) {
	self := os.Geteuid()
	info, err := os.Stat(data)
	if err == nil {
		owner, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok:
		case self == 0 && owner.Uid != 0:
			return account{name: "uid " + strconv.Itoa(int(owner.Uid)), credential: credential(owner.Uid, owner.Gid)}, nil
		case self != 0 && int(owner.Uid) != self:
			return account{}, fmt.Errorf("the Postgres data in %s belongs to another account (it was started as root before?): "+
				"start as root again, or remove it as root to start afresh", data)
		}
	}
	if self != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
			gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
			if uidErr == nil && gidErr == nil && uid != 0 {
				return account{name: name, credential: credential(uint32(uid), uint32(gid))}, nil
			}
		}
	}
	return account{}, errors.New("cannot start Postgres: it refuses to run as root, and this machine has neither an account " +
		"postgres nor nobody; start as an ordinary user")
}

// credential drops root's supplementary groups too: an empty list without NoSetGroups clears them.
func credential(uid, gid uint32) *syscall.Credential {
	return &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{}}
}

// own hands a file to the account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// canRun tells whether the account can run the server's programs.
func (a account) canRun(binDir string) error {
	if err := a.probe(binDir, "/"); err != nil {
		return fmt.Errorf("the account %s, which Postgres must run as, cannot run the programs in %s: %w", a.name, binDir, err)
	}
	return nil
}

// canReach tells whether the account can use dir as its working directory. The kernel is asked by doing it: modes,
// ACLs and mount options of every parent count, and a reading of mode bits would miss some.
func (a account) canReach(binDir, dir string) bool { return a.probe(binDir, dir) == nil }

func (a account) probe(binDir, dir string) error {
	if a.credential == nil {
		return nil
	}
	cmd := exec.Command(filepath.Join(binDir, "postgres"), "--version")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential}
	return cmd.Run()
}
