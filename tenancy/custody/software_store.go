package custody

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// store is a folder with one encrypted file per tenant, the key they are encrypted under (kek) and a lock file.
type store struct {
	dir string
	kek cipher.AEAD

	// writing is taken before the file lock, which does not hold between goroutines of one process.
	writing sync.Mutex

	mu     sync.RWMutex
	loaded map[id.Tenant]loaded
}

// loaded keys are good as long as the file is the one they were read from: every change makes a new file.
type loaded struct {
	from fs.FileInfo
	keys *keys
}

var errUnchanged = errors.New("custody: nothing to write")

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &store{dir: dir, loaded: map[id.Tenant]loaded{}}
	return s, s.locked(context.Background(), func() error {
		path := filepath.Join(dir, "kek")
		key, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			key = make([]byte, 32)
			if _, err = rand.Read(key); err == nil {
				err = replaceFile(path, key)
			}
		}
		if err != nil {
			return err
		}
		s.kek, err = newBox(key)
		return err
	})
}

func (s *store) path(t id.Tenant) string { return filepath.Join(s.dir, t.Hex()+".keys") }

// locked runs fn while no other goroutine and no other process writes.
func (s *store) locked(ctx context.Context, fn func() error) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	lock := flock.New(filepath.Join(s.dir, "lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return fmt.Errorf("%w: lock of %s: %w", ErrUnavailable, s.dir, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return fn()
}

func (s *store) load(t id.Tenant) (*keys, error) {
	info, err := os.Stat(s.path(t))
	if err != nil {
		return nil, s.missing(t, err)
	}
	s.mu.RLock()
	l, ok := s.loaded[t]
	s.mu.RUnlock()
	if ok && os.SameFile(l.from, info) && l.from.Size() == info.Size() && l.from.ModTime().Equal(info.ModTime()) {
		return l.keys, nil
	}
	file, err := s.read(t)
	if err != nil {
		return nil, err
	}
	ready, err := file.ready()
	if err != nil {
		return nil, fmt.Errorf("custody: %s: %w", s.path(t), err)
	}
	// info is older than what was read, if the file was replaced in between; then the next load reads again.
	s.mu.Lock()
	s.loaded[t] = loaded{info, ready}
	s.mu.Unlock()
	return ready, nil
}

func (s *store) missing(t id.Tenant, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.mu.Lock()
	delete(s.loaded, t) // destroyed keys do not stay in memory
	s.mu.Unlock()
	return ErrNoKey
}

// read decrypts a tenant's file. The tenant is bound in, so a file renamed to another tenant's does not open.
func (s *store) read(t id.Tenant) (*keyFile, error) {
	box, err := os.ReadFile(s.path(t))
	if err != nil {
		return nil, s.missing(t, err)
	}
	plain, err := s.kek.Open(nil, nil, box, t[:])
	if err != nil {
		return nil, fmt.Errorf("custody: %s does not open with the key beside it", s.path(t))
	}
	k := &keyFile{}
	return k, json.Unmarshal(plain, k)
}

// change reads, changes and replaces a tenant's file; a tenant without one starts with an empty keyFile.
func (s *store) change(ctx context.Context, t id.Tenant, fn func(*keyFile) error) error {
	if err := alive(ctx); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		k, err := s.read(t)
		if errors.Is(err, ErrNoKey) {
			k, err = &keyFile{}, nil
		}
		if err == nil {
			err = fn(k)
		}
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := json.Marshal(k)
		if err != nil {
			return err
		}
		return replaceFile(s.path(t), s.kek.Seal(nil, nil, plain, t[:])) //nolint:gosec // NewGCMWithRandomNonce makes the nonce itself
	})
}

func (s *store) remove(ctx context.Context, t id.Tenant) error {
	if err := alive(ctx); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		err := os.Remove(s.path(t))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, syncFolder(s.dir))
	})
}
