package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/vault/vault"
)

// keys opens a storage: the only unseal share and the root token.
type keys struct {
	UnsealKey []byte `json:"unseal_key"`
	RootToken string `json:"root_token"`
}

// unlock leaves the core unsealed: initialised first when the storage is empty, else with the keys kept beside it.
func unlock(ctx context.Context, core *vault.Core, dir string) (keys, error) {
	initialised, err := core.Initialized(ctx)
	if err != nil {
		return keys{}, err
	}
	var k keys
	if initialised {
		k, err = readKeys(dir)
	} else {
		k, err = initialise(ctx, core, dir)
	}
	if err != nil {
		return keys{}, err
	}
	// A copy: Unseal zeroes the share it is given.
	if _, err := core.Unseal(bytes.Clone(k.UnsealKey)); err != nil {
		return keys{}, fmt.Errorf("unseal: %w", err)
	}
	return k, nil
}

func initialise(ctx context.Context, core *vault.Core, dir string) (keys, error) {
	one := vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	res, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: &one})
	if err != nil {
		return keys{}, fmt.Errorf("initialise: %w", err)
	}
	k := keys{UnsealKey: res.SecretShares[0], RootToken: res.RootToken}
	if dir == "" {
		return k, nil
	}
	b, err := json.Marshal(k)
	if err != nil {
		return keys{}, err
	}
	return k, replaceFile(filepath.Join(dir, "keys.json"), b)
}

func readKeys(dir string) (k keys, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("%s holds an initialised Vault without its keys: remove the folder and start again", dir)
	}
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(b, &k)
}

// announce says that the server is ready, as one JSON line.
func (s *server) announce(path string, stdout io.Writer) error {
	b, err := json.Marshal(struct {
		Address string `json:"address"`
		keys
	}{s.address, s.keys})
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if path != "" {
		return replaceFile(path, b)
	}
	_, err = stdout.Write(b)
	return err
}

// replaceFile writes a file that its owner alone may read, in one step: whoever waits for it never sees half of it.
func replaceFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
