package strictjson

import "reflect"

func (b builder) readStruct(t reflect.Type) valueReader {
	p := b.plan(t)
	return func(r *reader, into reflect.Value, at *path) error {
		if r.dec.PeekKind() != '{' {
			return mistaken(r, at, "must be an object")
		}
		return p.read(r, into, at)
	}
}

// readPointer is the one place besides Optional where null is a value: it leaves the pointer nil.
func (b builder) readPointer(t reflect.Type) valueReader {
	elem := b.reader(t.Elem())
	return func(r *reader, into reflect.Value, at *path) error {
		if r.dec.PeekKind() == 'n' {
			into.SetZero()
			return r.skip()
		}
		into.Set(reflect.New(t.Elem()))
		return elem(r, into.Elem(), at)
	}
}

func (b builder) readSlice(t reflect.Type) valueReader {
	if t.Elem().Kind() == reflect.Uint8 {
		panic("strictjson: bytes have no form in JSON; use a string and decode it, saying which base64 it is")
	}
	elem := b.reader(t.Elem())
	return func(r *reader, into reflect.Value, at *path) error {
		if r.dec.PeekKind() != '[' {
			return mistaken(r, at, "must be an array")
		}
		if err := r.open(); err != nil {
			return err
		}
		out := reflect.MakeSlice(t, 0, 0) // [] is an empty slice and not nil, as in encoding/json
		for i := 0; r.dec.PeekKind() != ']'; i++ {
			out = reflect.Append(out, reflect.Zero(t.Elem()))
			if err := elem(r, out.Index(i), &path{up: at, index: i}); err != nil {
				return err
			}
		}
		into.Set(out)
		return r.close()
	}
}

func (b builder) readMap(t reflect.Type) valueReader {
	if t.Key().Kind() != reflect.String || reflect.PointerTo(t.Key()).Implements(textType) {
		panic("strictjson: the names of an object are plain strings")
	}
	elem := b.reader(t.Elem())
	return func(r *reader, into reflect.Value, at *path) error {
		if r.dec.PeekKind() != '{' {
			return mistaken(r, at, "must be an object")
		}
		if err := r.open(); err != nil {
			return err
		}
		out := reflect.MakeMap(t)
		for r.dec.PeekKind() != '}' {
			raw, err := r.str()
			if err != nil {
				return err
			}
			name := string(raw)
			value := reflect.New(t.Elem()).Elem()
			if err := elem(r, value, &path{up: at, name: shown(raw), loose: true}); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), value)
		}
		into.Set(out)
		return r.close()
	}
}
