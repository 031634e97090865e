package strictjson

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxRepeated bounds the errors whose number the client chooses: unknown names, elements of arrays, entries of maps. The
// fields a type declares are always all reported.
const maxRepeated = 50

// reader is one document being read: the syntax, and the errors found so far.
type reader struct {
	dec      jsontext.Decoder
	buf      bytes.Buffer
	data     []byte
	fields   map[string]string
	repeated int
}

var nothing = new(bytes.Buffer)

func (r *reader) start(data []byte) {
	r.data = data
	r.buf = *bytes.NewBuffer(data) // jsontext reads a bytes.Buffer in place and does not change it
	r.dec.Reset(&r.buf)
}

// release forgets the request, which may hold a password, before the reader waits in the pool.
func (r *reader) release() {
	r.dec.Reset(nothing)
	r.buf, r.data, r.fields, r.repeated = bytes.Buffer{}, nil, nil, 0
	decoders.Put(r)
}

// errTooDeep and errNUL end the reading wherever they are met, in known and unknown members alike.
var (
	errTooDeep = errors.New("too deep")
	errNUL     = errors.New("NUL in a string")
)

// open reads the start of an object or array.
func (r *reader) open() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if r.dec.StackDepth() > MaxDepth {
		return errTooDeep
	}
	return nil
}

// close reads the end of an object or array.
func (r *reader) close() error {
	_, err := r.dec.ReadToken()
	return err
}

// str reads a string or a name; the bytes are valid until the next read. Most strings hold no escape and cost nothing.
func (r *reader) str() ([]byte, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if raw.Kind() != '"' {
		return nil, jsontext.ErrNonStringName
	}
	return unquote(raw)
}

// unquote gives what a string literal stands for.
func unquote(raw jsontext.Value) ([]byte, error) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return nil, err
	}
	// Only an escape can write a NUL. Postgres refuses it in text and jsonb (SQLSTATE 22021, 22P05), which would make a
	// client's mistake our 500; it is no character of a name, an address or a password (RFC 8265) either.
	if bytes.IndexByte(s, 0) >= 0 {
		return nil, errNUL
	}
	return s, nil
}

// skip reads a value nobody wants, under the same rules as the others.
func (r *reader) skip() error {
	for base := r.dec.StackDepth(); ; {
		var err error
		switch r.dec.PeekKind() {
		case '{', '[':
			err = r.open()
		case '}', ']':
			err = r.close()
		case '"':
			_, err = r.str()
		default:
			_, err = r.dec.ReadValue()
		}
		if err != nil {
			return err
		}
		if r.dec.StackDepth() <= base {
			return nil
		}
	}
}

// end makes sure that nothing follows the object.
func (r *reader) end() error {
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

var errTrailing = errors.New("trailing data")

// bad records what is wrong at a path. The first finding stays.
func (r *reader) bad(p *path, what string) {
	if !p.bounded() {
		if r.repeated++; r.repeated > maxRepeated {
			return
		}
	}
	if r.fields == nil {
		r.fields = make(map[string]string)
	}
	name := p.String()
	if _, known := r.fields[name]; !known {
		r.fields[name] = what
	}
}

func (r *reader) notAnObject() string {
	if _, err := r.dec.ReadValue(); err != nil {
		return "The body is not valid JSON."
	}
	return "The body must be a JSON object."
}

// broken says what is wrong with a document that cannot be read to its end, without quoting it.
func (r *reader) broken(err error) *Error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errTooDeep):
		return &Error{Message: "The body is nested more than " + strconv.Itoa(MaxDepth) + " levels deep."}
	case errors.Is(err, errNUL):
		return &Error{Message: "The body holds a NUL character."}
	case errors.Is(err, errTrailing):
		return &Error{Message: "The body must be one JSON object with nothing after it."}
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return &Error{Message: "The body names a member twice.",
			Fields: map[string]string{dotted(syntax.JSONPointer): "must not appear more than once"}}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Message: "The body ends before its JSON does."}
	case errors.As(err, &syntax):
		return &Error{Message: "The body is not valid JSON (at byte " + strconv.FormatInt(syntax.ByteOffset, 10) + ")."}
	}
	return &Error{Message: "The body is not valid JSON."}
}
