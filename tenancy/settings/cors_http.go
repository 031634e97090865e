package settings

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// originPatience is how long the question whether an origin is allowed may take. It is answered from memory; where that
// does not hold the tenant yet and Postgres hangs, the operation behind will say so itself, and in time.
const originPatience = 400 * time.Millisecond

// CORS lets pages of the origins that a tenant allows call it with a browser (the CORS protocol of the Fetch standard). It
// stands where the tenant is known by the address alone, its host or its prefix on the shared host: a preflight carries
// neither body nor credential. Everybody else is answered as if there were no CORS, and their browsers keep the answer from
// the page. Credentials are never allowed: there are no cookies, and a token is a header like others.
func (s *Store) CORS(f tenancy.Front) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h["Vary"] = varyOrigin // also where there is none: a cache must not give that answer to a page
			origin := r.Header.Values("Origin")
			if len(origin) != 1 || !s.allows(r, f, origin[0]) {
				next.ServeHTTP(w, r)
				return
			}
			h["Access-Control-Allow-Origin"] = origin
			h["Access-Control-Expose-Headers"] = exposed
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h["Access-Control-Allow-Methods"], h["Access-Control-Allow-Headers"], h["Access-Control-Max-Age"] = methods, headers, maxAge
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (s *Store) allows(r *http.Request, f tenancy.Front, origin string) bool {
	if len(origin) > maxAddress {
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), originPatience)
	defer cancel()
	t, err := f.Addressed(r.WithContext(ctx))
	if err != nil {
		return false
	}
	set, err := s.Of(ctx, t)
	return err == nil && set.Allows(origin)
}

// An API key is not among the headers: a key in a page is everybody's.
var (
	varyOrigin = []string{"Origin"}
	methods    = []string{"GET, POST, PUT, DELETE"}
	headers    = []string{"Authorization, Content-Type, Idempotency-Key, X-Tenant-ID"}
	exposed    = []string{"X-Request-Id, Retry-After, WWW-Authenticate"}
	maxAge     = []string{"600"}
)
