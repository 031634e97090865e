// Package openapi is the description of the HTTP surface: openapi.yaml, written by hand, and the same as JSON for
// clients that ask the service itself.
//
// The document is not generated from the handlers, because then it could only say what they do. It says what was
// promised; tests here and in cmd/gatehouse hold both together: the routes, and every kind of answer.
//
// The boundary: this package knows no tenant and no configuration. The document is the same for every host.
package openapi

import (
	_ "embed" // the document
	"encoding/json"
	"fmt"
	"sync"

	"gopkg.in/yaml.v3"
)

// The file is here and not at the top level because go:embed reaches only downwards; the one at the top is a link to it.
//
//go:embed openapi.yaml
var source []byte

// JSON is the document as JSON, the same bytes each time: members are in alphabetical order. Do not change them.
func JSON() []byte { return converted() }

var converted = sync.OnceValue(func() []byte {
	data, err := convert(source)
	if err != nil { // part of the binary: the tests have seen every byte of it
		panic(err)
	}
	return data
})

func convert(text []byte) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	data, err := json.Marshal(document) // refuses names that are no strings, such as an unquoted 200
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return data, nil
}
