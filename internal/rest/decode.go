package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

// DefaultBodyLimit is the longest body of an operation that does not say otherwise, in bytes.
const DefaultBodyLimit = 64 << 10

// Validator is a request that knows rules beyond its types. Validate gives path to what is wrong, empty when all is well.
// It is called on requests with type errors as well, where the bad members still have their zero value.
type Validator interface{ Validate() map[string]string }

// Decode reads the body as a T: 415 unless it is declared as JSON, 413 over the limit, else 400 invalid_request with all
// bad fields at once, those of a wrong type and those Validate finds.
func Decode[T any](r *http.Request) (T, error) {
	var v T
	if err := DecodeInto(r, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// DecodeInto is Decode into a request that the handler began, for one whose Validate needs more than what was sent: the
// handler leaves it in fields that are not exported. After an error the request is not to be used.
func DecodeInto[T any](r *http.Request, v *T) error {
	return readBody(r, func(data []byte) error {
		if len(data) > 0 || r.Header.Get("Content-Type") != "" {
			if err := jsonOnly(r.Header); err != nil {
				return err
			}
		}
		return merge(strictjson.Decode(data, v), v)
	})
}

// DecodeOptional is Decode for an operation whose body may be left out: no body is an empty JSON object.
func DecodeOptional[T any](r *http.Request) (v T, err error) {
	err = readBody(r, func(data []byte) error {
		if len(data) == 0 {
			data = []byte("{}")
		} else if err := jsonOnly(r.Header); err != nil {
			return err
		}
		return merge(strictjson.Decode(data, &v), &v)
	})
	return v, err
}

// NoBody is Decode for an operation that takes nothing: no body at all, or an empty JSON object.
func NoBody(r *http.Request) error {
	return readBody(r, func(data []byte) error {
		if len(data) == 0 {
			return nil
		}
		if err := jsonOnly(r.Header); err != nil {
			return err
		}
		return merge(strictjson.Decode(data, &struct{}{}), nil)
	})
}

// merge makes one answer of the type errors and the findings of Validate. Of one member the type error is told, and
// nothing below or beside it that only follows from it.
func merge(err error, v any) error {
	var malformed *strictjson.Error
	if err != nil && !errors.As(err, &malformed) {
		return err
	}
	if malformed != nil && malformed.Message != "" {
		e := problem.Invalid(malformed.Message)
		if len(malformed.Fields) > 0 {
			e = e.Detail("fields", malformed.Fields)
		}
		return e
	}
	var fields map[string]string
	if malformed != nil {
		fields = malformed.Fields
	}
	if validator, ok := v.(Validator); ok {
		for path, what := range validator.Validate() {
			if covered(fields, path) {
				continue
			}
			if fields == nil {
				fields = make(map[string]string)
			}
			fields[path] = what
		}
	}
	if len(fields) > 0 {
		return problem.Fields(fields)
	}
	return nil
}

// covered reports whether a path or one it lies in has an error already.
func covered(fields map[string]string, path string) bool {
	for len(fields) > 0 && path != "" {
		if _, ok := fields[path]; ok {
			return true
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return false
}

// buffers hold bodies between requests. They are wiped before they wait: a body may hold a password.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads the whole body and gives it to use, which must not keep it.
func readBody(r *http.Request, use func([]byte) error) error {
	if r.Body == nil || r.Body == http.NoBody {
		return use(nil)
	}
	body := io.Reader(r.Body)
	if exchangeOf(r.Context()) == nil { // outside Middleware, where nothing limits it yet
		body = http.MaxBytesReader(nil, r.Body, DefaultBodyLimit)
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= DefaultBodyLimit*2 {
			clear(buf.Bytes()[:buf.Len()])
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	if _, err := buf.ReadFrom(body); err != nil {
		return bodyError(err)
	}
	return use(buf.Bytes())
}

// bodyError tells a body that is too long from one that never arrived; the latter is the client's or its network's doing.
func bodyError(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return problem.TooLarge()
	}
	return problem.Invalid("The body could not be read to its end.").With(err)
}

// jsonOnly is the media type rule: application/json, with charset=utf-8 or no parameter at all, and no content coding. It
// is spelled out here because mime.ParseMediaType takes more: a parameter repeated, continued or percent-encoded.
func jsonOnly(h http.Header) error { return only(h, "application/json") }

func only(h http.Header, want string) error {
	types := h["Content-Type"]
	if len(types) != 1 || len(h["Content-Encoding"]) > 0 {
		return problem.UnsupportedMedia()
	}
	media, parameter, has := strings.Cut(types[0], ";")
	if !sameToken(media, want) {
		return problem.UnsupportedMedia()
	}
	if has && !sameToken(parameter, "charset=utf-8") && !sameToken(parameter, `charset="utf-8"`) {
		return problem.UnsupportedMedia()
	}
	return nil
}

// sameToken compares as RFC 9110 section 8.3 does: white space around does not count, nor does the case of ASCII letters.
func sameToken(got, want string) bool {
	got = strings.Trim(got, " \t")
	return len(got) == len(want) && strings.EqualFold(got, want) // the length keeps the folds of other scripts out
}
