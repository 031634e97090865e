package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password/foreign"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// importLine is one user of an import, as a line of JSON.
type importLine struct {
	Email         string  `json:"email"`
	Name          string  `json:"name"`
	EmailVerified *bool   `json:"email_verified"`
	PasswordHash  *string `json:"password_hash"`
}

// maxLine is how long a line may be, in bytes.
const maxLine = 16 << 10

// read reads lines until the end, an error, or the end of ctx. The channel of errors has one, nil at the end of the input.
func (im Importing) read(ctx context.Context) (<-chan candidate, <-chan error) {
	lines, failed := make(chan candidate, importBatch), make(chan error, 1)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(im.In, 4*maxLine)
		for n := 1; ; n++ {
			line, err := nextLine(in)
			if err != nil && !errors.Is(err, errLongLine) {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				failed <- err
				return
			}
			c := candidate{line: n, reason: "The line is longer than 16 KB."}
			if err == nil {
				c = parseLine(n, line, im.Vouch)
			}
			select {
			case lines <- c:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	return lines, failed
}

var errLongLine = errors.New("line too long")

// nextLine is the next line without its end, valid until the one after. The last line may lack its end; of one that is too
// long the rest is passed over, so that the next is read from its beginning.
func nextLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	long := len(line) > maxLine+1
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
		long = true
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case long:
		return nil, errLongLine
	case err != nil && len(line) == 0:
		return nil, io.EOF
	}
	return bytes.TrimSuffix(line, []byte("\n")), nil
}

// parseLine makes a candidate of a line.
func parseLine(n int, line []byte, vouch bool) candidate {
	c := candidate{line: n}
	var l importLine
	bad := map[string]string{}
	if err := strictjson.Decode(line, &l); err != nil {
		var malformed *strictjson.Error
		if errors.As(err, &malformed) && malformed.Message != "" {
			c.reason = strings.Replace(malformed.Message, "The body", "The line", 1)
			return c
		}
		if malformed != nil {
			maps.Copy(bad, malformed.Fields)
		}
	}
	c.user, c.hash = l.read(bad, vouch)
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		c.reason += fmt.Sprintf("; %s %s", name, bad[name])
	}
	c.reason = strings.TrimPrefix(c.reason, "; ")
	return c
}

// read adds to bad what breaks a rule, unless it has the wrong type already.
func (l importLine) read(bad map[string]string, vouch bool) (u identity.User, hash *foreign.Hash) {
	check := func(field string, err error) {
		if _, known := bad[field]; err != nil && !known {
			bad[field] = err.Error()
		}
	}
	var err error
	u = identity.User{ID: id.NewUser()}
	u.Email, err = identity.ParseEmail(l.Email)
	check("email", err)
	u.Name, err = tenancy.ParseName(l.Name)
	check("name", err)
	if l.EmailVerified != nil && !vouch { // a person who could vouch for addresses could make accounts for those of others
		check("email_verified", errors.New("can be set with an API key only"))
	}
	u.EmailVerified = l.EmailVerified != nil && *l.EmailVerified
	if l.PasswordHash != nil {
		h, err := foreign.Parse(*l.PasswordHash)
		check("password_hash", err)
		hash = &h
	}
	return u, hash
}
