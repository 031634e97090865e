package main

import (
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

func sealed(w io.Writer, names []string) (io.WriteCloser, error) {
	var all []age.Recipient
	for _, name := range names {
		r, err := age.ParseRecipients(strings.NewReader(name))
		if err != nil || len(r) != 1 {
			return nil, fmt.Errorf("--recipient %q is no age public key", name)
		}
		all = append(all, r...)
	}
	return age.Encrypt(w, all...)
}
