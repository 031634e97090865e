package rest

import (
	"bytes"
	"io"
	"net/http"
)

// Hold reads the body before anything is decided, and gives it to whoever decodes it later. A client can take ten seconds
// to send it: a credential that was judged before would be believed for as long after it was taken away. What went wrong
// in reading is told when it is decoded. The body is bounded by the middleware; an operation that streams is not held.
func Hold(r *http.Request) {
	x := exchangeOf(r.Context())
	if r.Body == nil || r.Body == http.NoBody || x != nil && x.stream {
		return
	}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = io.EOF
	}
	r.Body = &held{data: bytes.NewReader(data), end: err, Closer: r.Body}
}

type held struct {
	data *bytes.Reader
	end  error
	io.Closer
}

// Read gives the body and then what ended it.
func (h *held) Read(p []byte) (int, error) {
	if n, err := h.data.Read(p); err == nil {
		return n, nil
	}
	return 0, h.end
}
