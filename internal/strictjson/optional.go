package strictjson

import (
	"encoding/json"
	"reflect"
)

// Optional is a member of a PUT or PATCH that may be absent (leave as it is), null (remove) or a value (set). With a
// plain pointer the first two look alike.
type Optional[T any] struct {
	Set   bool // the member was there, with a value or null
	Null  bool // it was null
	Value T    // the zero value unless Set and not Null
}

// Get gives the value, if there is one.
func (o Optional[T]) Get() (T, bool) { return o.Value, o.Set && !o.Null }

// Or is the value, or else fallback when the member is absent; null gives the zero value.
func (o Optional[T]) Or(fallback T) T {
	if !o.Set {
		return fallback
	}
	return o.Value
}

// Ptr is the value or nil, for columns that may be null.
func (o Optional[T]) Ptr() *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

// IsZero makes the tag option omitzero leave an absent member out.
func (o Optional[T]) IsZero() bool { return !o.Set }

// MarshalJSON writes null for both null and absent; use omitzero for the difference.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if v, ok := o.Get(); ok {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON is for clients and tests that read with encoding/json; requests are read by Decode.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	*o = Optional[T]{Set: true, Null: string(data) == "null"}
	if o.Null {
		return nil
	}
	return json.Unmarshal(data, &o.Value)
}

// optional is how the decoder recognises any Optional[T].
type optional interface{ isOptional() }

func (*Optional[T]) isOptional() {}

// The order of the fields of Optional.
const (
	optionalSet = iota
	optionalNull
	optionalValue
)

func (b builder) readOptional(t reflect.Type) valueReader {
	elem := b.reader(t.Field(optionalValue).Type)
	return func(r *reader, into reflect.Value, at *path) error {
		into.Field(optionalSet).SetBool(true)
		if r.dec.PeekKind() == 'n' {
			into.Field(optionalNull).SetBool(true)
			return r.skip()
		}
		return elem(r, into.Field(optionalValue), at)
	}
}
