package rest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

type signIn struct {
	Email    string   `json:"email"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
}

func (s signIn) Validate() map[string]string {
	bad := make(map[string]string)
	if s.Email == "" {
		bad["email"] = "is required"
	}
	if s.Password == "" {
		bad["password"] = "is required"
	}
	if len(s.Roles) > 0 && s.Roles[0] == "" {
		bad["roles[0]"] = "is empty"
	}
	return bad
}

// byPointer validates through a pointer receiver.
type byPointer struct {
	A int `json:"a"`
}

func (p *byPointer) Validate() map[string]string { return map[string]string{"a": "is never right"} }

func TestDecodeReportsAllBadFieldsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name, body string
		fields     map[string]any
	}{
		{"what is missing", `{}`, map[string]any{"email": "is required", "password": "is required"}},
		{"the type error wins over what follows from it", `{"email":1}`, map[string]any{"email": "must be a string", "password": "is required"}},
		{"type errors, unknown names and rules together", `{"email":1,"Password":"x"}`,
			map[string]any{"email": "must be a string", "Password": "is not a known field", "password": "is required"}},
		{"nothing is said below a bad field", `{"email":"a","password":"b","roles":[1,"x"]}`, map[string]any{"roles[0]": "must be a string"}},
		{"a duplicate", `{"email":"a","email":"a"}`, map[string]any{"email": "must not appear more than once"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode[signIn](jsonRequest("POST", "/", c.body))
			e := problem.From(err)
			fields, _ := e.Details["fields"].(map[string]string)
			got := make(map[string]any)
			for k, v := range fields {
				got[k] = v
			}
			if e.Code != "invalid_request" || !reflect.DeepEqual(got, c.fields) {
				t.Errorf("got %v %v", e, got)
			}
		})
	}
	if _, err := Decode[byPointer](jsonRequest("POST", "/", `{}`)); problem.From(err).Details["fields"] == nil {
		t.Error("Validate on a pointer is not called")
	}
	v, err := Decode[signIn](jsonRequest("POST", "/", `{"email":"a","password":"b"}`))
	if err != nil || v.Email != "a" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestTheMediaTypeRule(t *testing.T) {
	for _, c := range []struct {
		types []string
		ok    bool
	}{
		{[]string{"application/json"}, true},
		{[]string{"application/json; charset=utf-8"}, true},
		{[]string{"application/json;charset=UTF-8"}, true},
		{[]string{"Application/JSON ; Charset=Utf-8"}, true},
		{[]string{`application/json; charset="utf-8"`}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"text/plain"}, false},
		{[]string{"text/json"}, false},
		{[]string{"application/jsonp"}, false},
		{[]string{"application/problem+json"}, false},
		{[]string{"application/x-www-form-urlencoded"}, false},
		{[]string{"application/json; charset=latin1"}, false},
		{[]string{"application/json; charset=utf-16"}, false},
		{[]string{"application/json; charset=utf8"}, false},
		{[]string{"application/json; charset*=utf-8''utf-8"}, false},
		{[]string{"application/json; boundary=x"}, false},
		{[]string{"application/json; charset=utf-8; boundary=x"}, false},
		{[]string{"application/json; charset=utf-8; charset=utf-8"}, false},
		{[]string{"application/json, text/plain"}, false},
		{[]string{"application/json", "application/json"}, false},
	} {
		r := jsonRequest("POST", "/", `{"email":"a","password":"b"}`)
		r.Header["Content-Type"] = c.types
		_, err := Decode[signIn](r)
		if c.ok && err != nil || !c.ok && !problem.Is(err, "unsupported_media_type") {
			t.Errorf("%q: %v", c.types, err)
		}
	}
	r := jsonRequest("POST", "/", `{"email":"a","password":"b"}`)
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := Decode[signIn](r); !problem.Is(err, "unsupported_media_type") {
		t.Errorf("a content coding: %v", err)
	}
}

func TestAMissingBodyIsInvalidAndNotUnsupported(t *testing.T) {
	if _, err := Decode[signIn](httptest.NewRequest("POST", "/", nil)); !problem.Is(err, "invalid_request") {
		t.Error(err)
	}
}

func TestNoBody(t *testing.T) {
	for _, c := range []struct{ name, media, body, code string }{
		{"nothing", "", "", ""},
		{"nothing, declared as JSON", "application/json", "", ""},
		{"an empty object", "application/json", "{}", ""},
		{"an empty object of no type", "", "{}", "unsupported_media_type"},
		{"a form", "application/x-www-form-urlencoded", "a=b", "unsupported_media_type"},
		{"a member", "application/json", `{"a":1}`, "invalid_request"},
		{"an array", "application/json", `[]`, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			err := NoBody(r)
			if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestABodyOverTheLimitIsTooLarge(t *testing.T) {
	fits := `{"email":"a","password":"` + strings.Repeat("x", DefaultBodyLimit-27) + `"}`
	for _, c := range []struct {
		name, body string
		ok         bool
	}{
		{"at the limit", fits, true},
		{"one byte over", fits + " ", false},
		{"far over and not even JSON", strings.Repeat("[", 1<<20), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := Handler(func(w http.ResponseWriter, r *http.Request) error {
				_, err := Decode[signIn](r)
				return err
			})
			within, bare := serve(Options{}, read, jsonRequest("POST", "/", c.body)), httptest.NewRecorder()
			read.ServeHTTP(bare, jsonRequest("POST", "/", c.body))
			for where, w := range map[string]*httptest.ResponseRecorder{"in the middleware": within, "without it": bare} {
				if c.ok && w.Code != 200 {
					t.Errorf("%s: %d %s", where, w.Code, w.Body)
				}
				if !c.ok {
					wantProblem(t, w, 413, "too_large")
				}
			}
		})
	}
}

func TestABodyThatNeverArrivesIsTheClientsFault(t *testing.T) {
	r := jsonRequest("POST", "/", "")
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("i/o timeout")))
	if _, err := Decode[signIn](r); !problem.Is(err, "invalid_request") {
		t.Error(err)
	}
}
