package strictjson

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// plan is how a struct is read: its members by their exact names. It is made once per type, so that a request costs no
// walk over struct tags.
type plan struct {
	members map[string]member
}

type member struct {
	index []int
	read  valueReader
}

// valueReader reads one value into a Go value. A wrong type is recorded in the reader and is not an error; an error means
// that the document cannot be read on.
type valueReader func(r *reader, into reflect.Value, at *path) error

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := builder{}.plan(t)
	plans.Store(t, p) // of two that built it at once, either will do
	return p
}

// builder holds the plans under construction, so that a type may contain itself.
type builder map[reflect.Type]*plan

func (b builder) plan(t reflect.Type) *plan {
	if p, ok := b[t]; ok {
		return p
	}
	p := &plan{members: make(map[string]member)}
	b[t] = p
	b.add(p, t, nil)
	return p
}

// add takes over into p the exported fields of t; those of embedded structs stand beside them, as in encoding/json.
func (b builder) add(p *plan, t reflect.Type, prefix []int) {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		index := append(append([]int(nil), prefix...), f.Index...)
		switch {
		case tag == "-":
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct:
			b.add(p, f.Type, index)
		case !f.IsExported():
		case name == "":
			panic(fmt.Sprintf("strictjson: %v.%s has no json name", t, f.Name))
		case strings.Contains(","+options+",", ",string,"):
			panic(fmt.Sprintf("strictjson: %v.%s: the option string is not supported", t, f.Name))
		default:
			if _, twice := p.members[name]; twice {
				panic(fmt.Sprintf("strictjson: %v names %q twice", t, name))
			}
			p.members[name] = member{index: index, read: b.reader(f.Type)}
		}
	}
}

// read fills the struct from an object whose '{' is next.
func (p *plan) read(r *reader, into reflect.Value, at *path) error {
	if err := r.open(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.str()
		if err != nil {
			return err
		}
		m, known := p.members[string(name)]
		if !known {
			r.bad(&path{up: at, name: shown(name), loose: true}, "is not a known field")
			if err := r.skip(); err != nil {
				return err
			}
			continue
		}
		if err := m.read(r, into.FieldByIndex(m.index), &path{up: at, name: string(name)}); err != nil {
			return err
		}
	}
	return r.close()
}

var (
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawType  = reflect.TypeFor[Raw]()
	optType  = reflect.TypeFor[optional]()
)

// reader chooses by the Go type what JSON it may come from.
func (b builder) reader(t reflect.Type) valueReader {
	switch {
	case t == rawType:
		return readRaw
	case reflect.PointerTo(t).Implements(optType):
		return b.readOptional(t)
	case reflect.PointerTo(t).Implements(textType):
		return readText(t)
	}
	switch t.Kind() {
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return readInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return readUint
	case reflect.Float32, reflect.Float64:
		return readFloat
	case reflect.Pointer:
		return b.readPointer(t)
	case reflect.Struct:
		return b.readStruct(t)
	case reflect.Slice:
		return b.readSlice(t)
	case reflect.Map:
		return b.readMap(t)
	}
	panic(fmt.Sprintf("strictjson: cannot read JSON into %v", t))
}
