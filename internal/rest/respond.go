package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Respond answers with v as JSON. Cache-Control is no-store unless the handler set another before: answers hold tokens and
// personal data by default. A nil v sends the status alone. The error is v's, before anything was sent.
func Respond(w http.ResponseWriter, status int, v any) error {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h["Cache-Control"] = noStore
	}
	if v == nil {
		w.WriteHeader(status)
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rest: answer: %w", err)
	}
	data = append(data, '\n') // for whoever reads it in a terminal
	h["Content-Type"] = jsonUTF8
	h["Content-Length"] = []string{strconv.Itoa(len(data))}
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client is gone; there is nobody to tell
	return nil
}

// NoContent is a success without a body.
func NoContent(w http.ResponseWriter) error { return Respond(w, http.StatusNoContent, nil) }

// Header values every answer has. They are shared: a slice of length and capacity one is replaced by Set and copied by
// Add, never written to.
var (
	jsonUTF8   = []string{"application/json; charset=utf-8"}
	noStore    = []string{"no-store"}
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
	hsts       = []string{"max-age=31536000; includeSubDomains"}
	apiCSP     = []string{"default-src 'none'; frame-ancestors 'none'"}
)
