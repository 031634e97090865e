package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// refusal is an answer of the API that is not a success. Its code and fields are those of the wire contract.
type refusal struct {
	Status  int      `json:"-"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Notices []string `json:"notices"`
	Details struct {
		Fields    map[string]string `json:"fields"`
		Reasons   []string          `json:"reasons"`    // of a password that is refused
		MinLength int               `json:"min_length"` // of a password
		RequestID string            `json:"request_id"`
	} `json:"details"`
	RetryAfter time.Duration `json:"-"`
}

// Error is for the log.
func (e *refusal) Error() string {
	return fmt.Sprintf("pages: the API answers %d %s: %s", e.Status, e.Code, e.Message)
}

// refused is the refusal that err is, if its code is one of these, or whatever it is where there are none; else nil.
func refused(err error, codes ...string) *refusal {
	e, ok := errors.AsType[*refusal](err)
	if !ok || len(codes) > 0 && !slices.Contains(codes, e.Code) {
		return nil
	}
	return e
}

// call performs an operation of the API as whoever is signed in. in is the body and out what the answer is read into; nil
// is none. Errors: *refusal.
func (v *visit) call(method, path string, in, out any) error {
	return v.perform(rest.Inner{Method: method, Path: path}, in, out)
}

// get reads by GET.
func (v *visit) get(path string, q url.Values, out any) error {
	return v.perform(rest.Inner{Method: http.MethodGet, Path: path, Query: q}, nil, out)
}

// post is call for an operation that takes parameters instead of a body.
func (v *visit) post(path string, q url.Values, out any) error {
	return v.perform(rest.Inner{Method: http.MethodPost, Path: path, Query: q}, nil, out)
}

func (v *visit) perform(i rest.Inner, in, out any) error {
	var err error
	if in != nil {
		if i.Body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	i.Bearer = v.access
	a := i.Do(v.p.API, v.r)
	if a.Status >= http.StatusBadRequest {
		e := &refusal{Status: a.Status}
		if err := json.Unmarshal(a.Body.Bytes(), e); err != nil {
			return fmt.Errorf("pages: %s %s answers %d: %w", i.Method, i.Path, a.Status, err)
		}
		if s, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil {
			e.RetryAfter = time.Duration(s) * time.Second
		}
		return e
	}
	if out == nil || a.Body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Body.Bytes(), out); err != nil {
		return fmt.Errorf("pages: answer of %s %s: %w", i.Method, i.Path, err)
	}
	return nil
}
