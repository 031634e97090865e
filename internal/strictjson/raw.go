package strictjson

import (
	"bytes"
	"reflect"
	"strconv"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Raw is a value as it was sent, for what another library reads: the credential of a browser, for example. It was read
// under all the rules of this package, and two more that matter because the other library may be encoding/json: two names
// of one object may not differ by case alone, and a number fits a float64. It is never null.
type Raw []byte

// MarshalJSON gives the value as it was sent.
func (v Raw) MarshalJSON() ([]byte, error) {
	if len(v) == 0 {
		return []byte("null"), nil
	}
	return v, nil
}

// UnmarshalJSON is for clients and tests that read with encoding/json.
func (v *Raw) UnmarshalJSON(data []byte) error {
	*v = append((*v)[:0], data...)
	return nil
}

func readRaw(r *reader, into reflect.Value, at *path) error {
	var start int64
	switch k := r.dec.PeekKind(); k {
	case 'n':
		return mistaken(r, at, "must not be null")
	case '{', '[':
		if err := r.open(); err != nil {
			return err
		}
		start = r.dec.InputOffset() - 1
		if err := r.inside(k, at); err != nil {
			return err
		}
	default:
		n, err := r.scalar(at)
		if err != nil {
			return err
		}
		start = r.dec.InputOffset() - int64(n)
	}
	into.SetBytes(bytes.Clone(r.data[start:r.dec.InputOffset()]))
	return nil
}

// scalar reads a string, number or literal and gives its length as written.
func (r *reader) scalar(at *path) (int, error) {
	value, err := r.dec.ReadValue()
	if err != nil {
		return 0, err
	}
	switch value.Kind() {
	case '"':
		_, err = unquote(value)
	case '0':
		if _, outOfRange := strconv.ParseFloat(string(value), 64); outOfRange != nil {
			r.bad(at, "holds a number that is out of range")
		}
	}
	return len(value), err
}

// inside reads the rest of an object or array whose first byte was read.
func (r *reader) inside(k jsontext.Kind, at *path) error {
	seen := make(map[string]bool)
	for {
		switch r.dec.PeekKind() {
		case '}', ']':
			return r.close()
		}
		if k == '{' {
			name, err := r.str()
			if err != nil {
				return err
			}
			f := fold(name)
			if seen[f] {
				r.bad(at, "holds names that differ by case alone")
			}
			seen[f] = true
		}
		var err error
		switch next := r.dec.PeekKind(); next {
		case '{', '[':
			if err = r.open(); err == nil {
				err = r.inside(next, at)
			}
		default:
			_, err = r.scalar(at)
		}
		if err != nil {
			return err
		}
	}
}

// fold is the case folding by which encoding/json matches names: the smallest rune of each simple fold set, so that the
// long s and the Kelvin sign count as s and k.
func fold(name []byte) string {
	return string(bytes.Map(func(c rune) rune {
		for {
			next := unicode.SimpleFold(c)
			if next <= c {
				return next
			}
			c = next
		}
	}, name))
}
