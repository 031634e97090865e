package problem

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, err error) (*http.Response, map[string]any, string) {
	t.Helper()
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("ETag", `"of the success"`)
	Write(w, "req-1", err)
	var body map[string]any
	if e := json.Unmarshal(w.Body.Bytes(), &body); e != nil {
		t.Fatalf("%v in %s", e, w.Body)
	}
	return w.Result(), body, w.Body.String()
}

func TestWriteIsTheDocumentedShape(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"a plain error has code and message only", NotFound(), 404,
			`{"code":"not_found","message":"There is nothing here."}`},
		{"bad fields are in details", Field("email", "is required"), 400,
			`{"code":"invalid_request","message":"Some fields of the request are not valid.","details":{"fields":{"email":"is required"}}}`},
		{"a denial carries the notices", PolicyDenied("Office hours only."), 403,
			`{"code":"policy_denied","message":"A policy of your organisation does not allow this.","notices":["Office hours only."]}`},
		{"a 500 carries the request id and nothing of the cause", errors.New("secret=1"), 500,
			`{"code":"internal","message":"Something went wrong on our side. The request id identifies the incident.","details":{"request_id":"req-1"}}`},
		{"so does a 503, beside its own details", Unavailable(0, nil).Detail("part", "keys"), 503,
			`{"code":"unavailable","message":"The service cannot do this right now. Please try again shortly.","details":{"part":"keys","request_id":"req-1"}}`},
		{"a 4xx does not", RateLimited(0), 429,
			`{"code":"rate_limited","message":"Too many attempts. Please wait and try again."}`},
		{"details that cannot be encoded are dropped", NotFound().Detail("bad", make(chan int)), 404,
			`{"code":"not_found","message":"There is nothing here."}`},
		{"no error at all is a bug and not a success", nil, 500,
			`{"code":"internal","message":"Something went wrong on our side. The request id identifies the incident.","details":{"request_id":"req-1"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, _, body := write(t, c.err)
			if res.StatusCode != c.status || body != c.body+"\n" {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store",
				"X-Content-Type-Options": "nosniff", "ETag": "",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestRequestIDsDoNotLeakIntoASharedError(t *testing.T) {
	shared := Unavailable(0, nil).Detail("part", "keys")
	write(t, shared)
	if !reflect.DeepEqual(shared.Details, map[string]any{"part": "keys"}) {
		t.Errorf("the error was changed: %v", shared.Details)
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{RateLimited(0), "1"},
		{RateLimited(-time.Hour), "1"},
		{RateLimited(time.Millisecond), "1"},
		{RateLimited(time.Second), "1"},
		{RateLimited(time.Second + 1), "2"},
		{RateLimited(15 * time.Minute), "900"},
		{RateLimited(math.MaxInt64), "9223372037"},
		{Unavailable(1500*time.Millisecond, nil), "2"},
		{NotFound(), ""},
		{Internal(nil), ""},
	} {
		res, _, _ := write(t, c.err)
		if got := res.Header.Get("Retry-After"); got != c.want {
			t.Errorf("%s after %v: %q, want %q", c.err.Code, c.err.RetryAfter, got, c.want)
		}
	}
}

func TestOnlyAJudgedCredentialIsChallenged(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{Unauthenticated(), "Bearer"},
		{BadCredential(), `Bearer error="invalid_token"`},
		{InvalidCredentials(), ""},
		{InvalidToken(KindUnauthenticated), ""},
		{Forbidden(), ""},
	} {
		res, _, _ := write(t, c.err)
		if got := res.Header.Get("WWW-Authenticate"); got != c.want {
			t.Errorf("%s: %q, want %q", c.err.Code, got, c.want)
		}
	}
}

func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[Kind]int{
		KindInternal: 500, KindInvalid: 400, KindUnauthenticated: 401, KindForbidden: 403, KindNotFound: 404,
		KindMethodNotAllowed: 405, KindConflict: 409, KindTooLarge: 413, KindUnsupportedMedia: 415, KindThrottled: 429,
		KindUnavailable: 503, -1: 500, 99: 500,
	}
	for kind, status := range want {
		if got := kind.Status(); got != status {
			t.Errorf("kind %d: %d, want %d", kind, got, status)
		}
	}
	if len(want)-2 != len(statuses) {
		t.Error("a kind is missing here")
	}
}

func TestTheVocabularyIsFitToBeSent(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, e := range []*Error{
		Internal(nil), Unavailable(0, nil), RateLimited(0), Invalid("The query is malformed."), Field("a", "b"), NotFound(),
		MethodNotAllowed(), TooLarge(), UnsupportedMedia(), Unauthenticated(), BadCredential(), InvalidCredentials(),
		InvalidToken(KindInvalid), Forbidden(), PolicyDenied(), Reauthenticate(), TenantMismatch(), TenantRequired(),
		TenantSuspended(),
	} {
		if !snake.MatchString(e.Code) {
			t.Errorf("%q is not snake_case", e.Code)
		}
		if !strings.HasSuffix(e.Message, ".") || e.Message[0] < 'A' || e.Message[0] > 'Z' {
			t.Errorf("%s: %q is not a sentence", e.Code, e.Message)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Write(httptest.NewRecorder(), "req-1", InvalidCredentials())
	}
}
