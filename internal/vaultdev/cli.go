package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/vault/internalshared/configutil"
)

// parseServer reads the command line of Vault's own program, `vault server -config=FILE`, so that what starts an
// installed Vault can be tried on this one. Such a server is neither initialised nor unsealed for its caller.
//
// Of the configuration only what `gatehouse dev` writes is known: file storage, one TCP listener on loopback without
// TLS, disable_mlock. Listener and disable_mlock are read by Vault's own parser.
func parseServer(args []string) (o options, err error) {
	if len(args) != 1 || !strings.HasPrefix(args[0], "-config=") {
		return o, errors.New("usage: vaultdev server -config=FILE")
	}
	text, err := os.ReadFile(strings.TrimPrefix(args[0], "-config="))
	if err != nil {
		return o, err
	}
	var c struct {
		Storage struct {
			File struct {
				Path string `json:"path"`
			} `json:"file"`
		} `json:"storage"`
		Listener     json.RawMessage `json:"listener"`
		DisableMlock bool            `json:"disable_mlock"`
	}
	known := json.NewDecoder(strings.NewReader(string(text)))
	known.DisallowUnknownFields()
	if err := known.Decode(&c); err != nil {
		return o, fmt.Errorf("configuration: %w", err)
	}
	shared, err := configutil.ParseConfig(string(text))
	if err != nil {
		return o, fmt.Errorf("configuration: %w", err)
	}
	if c.Storage.File.Path == "" || len(shared.Listeners) != 1 || !shared.Listeners[0].TLSDisable || !shared.DisableMlock {
		return o, errors.New("configuration: wanted are storage.file.path, one listener.tcp with tls_disable, and disable_mlock")
	}
	return options{listen: shared.Listeners[0].Address, storage: c.Storage.File.Path, logLevel: "info", cli: true}, nil
}
