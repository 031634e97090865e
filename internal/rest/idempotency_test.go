package rest

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheIdempotencyKey(t *testing.T) {
	for _, c := range []struct {
		name    string
		values  []string
		present bool
		ok      bool
	}{
		{"none", nil, false, true},
		{"a UUID", []string{"0198c0de-0000-7000-8000-000000000001"}, true, true},
		{"one character", []string{"x"}, true, true},
		{"255 characters, spaces among them", []string{"a b" + strings.Repeat("~", 252)}, true, true},
		{"256 characters", []string{strings.Repeat("x", 256)}, false, false},
		{"empty", []string{""}, false, false},
		{"twice", []string{"a", "a"}, false, false},
		{"a control character", []string{"a\tb"}, false, false},
		{"not ASCII", []string{"é"}, false, false},
		{"DEL", []string{"\x7f"}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header["Idempotency-Key"] = c.values
			key, present, err := IdempotencyKey(r)
			if present != c.present || (err == nil) != c.ok || present && key != c.values[0] {
				t.Errorf("got %q, %v, %v", key, present, err)
			}
			if !c.ok && !hasField(err, "Idempotency-Key") {
				t.Errorf("got %v", err)
			}
		})
	}
}
