package strictjson

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"
	"time"
)

// mistaken passes over a value of the wrong type and records what it should have been.
func mistaken(r *reader, at *path, what string) error {
	r.bad(at, what)
	return r.skip()
}

func readString(r *reader, into reflect.Value, at *path) error {
	if r.dec.PeekKind() != '"' {
		return mistaken(r, at, "must be a string")
	}
	s, err := r.str()
	if err != nil {
		return err
	}
	into.SetString(string(s))
	return nil
}

func readBool(r *reader, into reflect.Value, at *path) error {
	k := r.dec.PeekKind()
	if k != 't' && k != 'f' {
		return mistaken(r, at, "must be true or false")
	}
	if _, err := r.dec.ReadValue(); err != nil {
		return err
	}
	into.SetBool(k == 't')
	return nil
}

// number reads the literal of a number; ok is false when the value is something else, which is then passed over.
func number(r *reader, at *path, what string) (literal string, ok bool, err error) {
	if r.dec.PeekKind() != '0' {
		return "", false, mistaken(r, at, what)
	}
	raw, err := r.dec.ReadValue()
	return string(raw), err == nil, err
}

// readInt takes whole numbers written as such: 1.0 and 1e2 are refused, because parsers differ on them (and on anything
// beyond 2^53 that went through a float), and nothing is rounded or saturated.
func readInt(r *reader, into reflect.Value, at *path) error {
	literal, ok, err := number(r, at, "must be a whole number")
	if !ok {
		return err
	}
	n, err := strconv.ParseInt(literal, 10, into.Type().Bits())
	if err != nil {
		r.bad(at, wholeNumberError(err))
		return nil
	}
	into.SetInt(n)
	return nil
}

func readUint(r *reader, into reflect.Value, at *path) error {
	literal, ok, err := number(r, at, "must be a whole number")
	if !ok {
		return err
	}
	n, err := strconv.ParseUint(literal, 10, into.Type().Bits())
	if err != nil {
		what := wholeNumberError(err)
		if literal[0] == '-' {
			what = "must not be negative"
		}
		r.bad(at, what)
		return nil
	}
	into.SetUint(n)
	return nil
}

func wholeNumberError(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return "is out of range"
	}
	return "must be a whole number"
}

func readFloat(r *reader, into reflect.Value, at *path) error {
	literal, ok, err := number(r, at, "must be a number")
	if !ok {
		return err
	}
	f, err := strconv.ParseFloat(literal, into.Type().Bits())
	if err != nil {
		r.bad(at, "is out of range")
		return nil //nolint:nilerr // the field is reported, the document goes on
	}
	into.SetFloat(f)
	return nil
}

// readText reads a string into a type that parses itself: ids, times, slugs.
func readText(t reflect.Type) valueReader {
	what := "is not in the expected form"
	switch {
	case t == reflect.TypeFor[time.Time]():
		what = "must be an RFC 3339 time"
	case t.Kind() == reflect.Array && t.Len() == 16:
		what = "must be a UUID"
	}
	return func(r *reader, into reflect.Value, at *path) error {
		if r.dec.PeekKind() != '"' {
			return mistaken(r, at, "must be a string")
		}
		s, err := r.str()
		if err != nil {
			return err
		}
		// The method gets a copy: it may keep what it is given, and s belongs to the request's buffer.
		if err := into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(append([]byte(nil), s...)); err != nil {
			into.SetZero()
			r.bad(at, what)
		}
		return nil
	}
}
