package rest

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// IdempotencyKey is the Idempotency-Key of the request, and whether there is one. It must be 1 to 255 printable ASCII
// characters and sent once; else 400. The key means nothing by itself: store it with tenant and operation.
func IdempotencyKey(r *http.Request) (key string, ok bool, err error) {
	values := r.Header["Idempotency-Key"]
	if len(values) == 0 {
		return "", false, nil
	}
	key = values[0]
	if len(values) > 1 || len(key) == 0 || len(key) > maxIdempotencyKey || !printable(key) {
		return "", false, problem.Field("Idempotency-Key", "must be 1 to 255 printable ASCII characters, sent once")
	}
	return key, true, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
