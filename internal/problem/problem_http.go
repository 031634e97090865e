package problem

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// statuses is the one place where a kind becomes a status.
var statuses = [...]int{
	KindInternal:         http.StatusInternalServerError,
	KindInvalid:          http.StatusBadRequest,
	KindUnauthenticated:  http.StatusUnauthorized,
	KindForbidden:        http.StatusForbidden,
	KindNotFound:         http.StatusNotFound,
	KindMethodNotAllowed: http.StatusMethodNotAllowed,
	KindConflict:         http.StatusConflict,
	KindTooLarge:         http.StatusRequestEntityTooLarge,
	KindUnsupportedMedia: http.StatusUnsupportedMediaType,
	KindThrottled:        http.StatusTooManyRequests,
	KindUnavailable:      http.StatusServiceUnavailable,
}

// Status is the HTTP status of a kind; 500 for a value that is none.
func (k Kind) Status() int {
	if k < 0 || int(k) >= len(statuses) {
		return http.StatusInternalServerError
	}
	return statuses[k]
}

// body is the documented shape of every error of every operation.
type body struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
	Notices []string       `json:"notices,omitempty"`
}

// Write sends err as the documented body, with the status of its kind. A 5xx repeats the request id in details, so that
// a person can quote it from what their client shows. It must be called before anything else was written.
func Write(w http.ResponseWriter, requestID string, err error) {
	e := From(err)
	if e == nil { // Write(nil) is a bug of the caller; an empty 200 would hide it
		e = Internal(nil)
	}
	status := e.Kind.Status()
	data := append(e.render(status, requestID), '\n') // for whoever reads it in a terminal

	h := w.Header()
	// What the handler prepared for its success does not describe this body.
	for _, name := range [...]string{"Content-Encoding", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Kind == KindThrottled || e.Kind == KindUnavailable {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(e.RetryAfter), 10))
	}
	if e.Challenge != "" && status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", e.Challenge)
	}
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client is gone; there is nobody to tell
}

// render makes the body. Details that cannot be encoded are dropped: an error must never fail to be told.
func (e *Error) render(status int, requestID string) []byte {
	b := body{Code: e.Code, Message: e.Message, Details: e.Details, Notices: e.Notices}
	if status >= http.StatusInternalServerError {
		b.Details = withRequestID(e.Details, requestID)
	}
	data, err := json.Marshal(b)
	if err != nil {
		b.Details = nil
		data, _ = json.Marshal(b)
	}
	return data
}

// withRequestID copies: the error may be shared, and another request's id must not leak into it.
func withRequestID(details map[string]any, requestID string) map[string]any {
	d := maps.Clone(details)
	if d == nil {
		d = make(map[string]any, 1)
	}
	d["request_id"] = requestID
	return d
}

// wholeSeconds rounds up, at least 1: Retry-After has no fractions (RFC 9110 section 10.2.3), and 0 invites a hot loop.
func wholeSeconds(d time.Duration) int64 {
	if d <= time.Second {
		return 1
	}
	return int64((d-1)/time.Second) + 1
}
