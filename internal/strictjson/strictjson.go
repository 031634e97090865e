// Package strictjson is the one JSON decoder of the service. It reads exactly one object into a struct and refuses
// everything two parsers could read differently.
//
// Why not encoding/json: it takes the last of duplicate names, matches names case-insensitively (`paſſword` fills
// password), ignores trailing data and turns invalid UTF-8 into U+FFFD, so that different passwords become equal. Each of
// these lets a proxy, a log or a second service see another request than we do. The syntax is read by jsontext
// (RFC 7493, I-JSON), which refuses duplicates, invalid UTF-8 and lone surrogates; this package adds the meaning:
// case-exact known names, depth, exact numbers, no NUL, and every bad field reported at once.
//
// What a struct may hold: string, bool, integers, floats, encoding.TextUnmarshaler (ids, time.Time), structs, slices,
// maps with string keys, pointers (null allowed), Optional (null and absent told apart) and Raw (any value, unread).
// Every exported field needs a json tag: the names are a contract and not derived from Go. A type this package cannot
// hold panics at its first use, whatever the input; Check in a test finds it earlier.
//
// Traps: after an error the struct is filled as far as it could be, so that the caller can report its own findings along
// with the type errors; it must not be used for anything else. A missing member is not an error here, the zero value
// stays.
package strictjson

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may be open at once; the request object itself is the first.
const MaxDepth = 32

// Error says what is wrong with a document: either bad fields, all of them, or a Message about the document as a whole.
// A duplicate name is both. Nothing here quotes a value, because a value may be a password.
type Error struct {
	Message string            // a sentence; empty when only Fields are at fault
	Fields  map[string]string // path (`mfa.methods[2]`) to what is wrong ("must be a string")
}

// Error is the text for a log.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return "strictjson: " + e.Message
	}
	var b strings.Builder
	b.WriteString("strictjson: " + e.Message)
	names := make([]string, 0, len(e.Fields))
	for name := range e.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %q %s;", name, e.Fields[name])
	}
	return b.String()
}

// decoders keeps the syntax readers between requests; each holds name tables worth keeping.
var decoders = sync.Pool{New: func() any { return new(reader) }}

// Decode reads exactly one JSON object from data into the struct v points to. Any error about data is an *Error. data is
// not kept and not changed. It panics if v is not a pointer to a struct this package can hold.
func Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("strictjson: Decode needs a pointer to a struct, not %T", v))
	}
	plan := planOf(p.Type().Elem())
	if msg := wholly(data); msg != "" {
		return &Error{Message: msg}
	}

	r := decoders.Get().(*reader)
	defer r.release()
	r.start(data)
	if r.dec.PeekKind() != '{' {
		return &Error{Message: r.notAnObject()}
	}
	err := plan.read(r, p.Elem(), nil)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return r.broken(err)
	}
	if len(r.fields) > 0 {
		return &Error{Fields: r.fields}
	}
	return nil
}

// Check panics if Decode could not fill a T. Tests call it for every request type.
func Check[T any]() { planOf(reflect.TypeFor[T]()) }

var byteOrderMark = []byte("\xef\xbb\xbf")

// wholly finds what is wrong with the document before its first token.
func wholly(data []byte) string {
	switch {
	case len(bytes.TrimLeft(data, " \t\r\n")) == 0:
		return "The body is empty; a JSON object is expected."
	case bytes.HasPrefix(data, byteOrderMark): // RFC 8259 section 8.1
		return "The body must not start with a byte order mark."
	case !utf8.Valid(data):
		return "The body is not valid UTF-8."
	}
	return ""
}
