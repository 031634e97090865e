package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRespond(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Respond(w, http.StatusCreated, map[string]string{"id": "<1>"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != `{"id":"\u003c1\u003e"}`+"\n" || w.Header().Get("Content-Length") != "23" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	if w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", w.Header())
	}
}

func TestRespondKeepsTheCachingAHandlerChose(t *testing.T) {
	w := serve(Options{}, Handler(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=300")
		return Respond(w, 200, struct{}{})
	}), httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Values("Cache-Control"); len(got) != 1 || got[0] != "public, max-age=300" {
		t.Errorf("got %v", got)
	}
}

func TestAnAnswerThatCannotBeEncodedIsA500AndNotHalfAnAnswer(t *testing.T) {
	w := serve(Options{}, Handler(func(w http.ResponseWriter, r *http.Request) error {
		return Respond(w, 200, make(chan int))
	}), httptest.NewRequest("GET", "/", nil))
	wantProblem(t, w, 500, "internal")
}

func TestNoContentHasNoBodyAndNoType(t *testing.T) {
	w := httptest.NewRecorder()
	if err := NoContent(w); err != nil || w.Code != 204 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "" {
		t.Errorf("got %d %v, %v", w.Code, w.Header(), err)
	}
}
