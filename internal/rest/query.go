package rest

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Query is the parameters of the address. A malformed query is 400, where r.URL.Query would drop what it cannot read and
// with it a filter; so is a parameter that is there twice, of which two readers might take different ones.
func Query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem.Invalid("The query of the address is malformed.")
	}
	bad := map[string]string{}
	for name, values := range q {
		if len(values) > 1 {
			bad[name] = "must be given once"
		}
	}
	if len(bad) > 0 {
		return nil, problem.Fields(bad)
	}
	return q, nil
}

// NoQuery refuses every parameter, each by its name. It is for an operation that takes none and does what cannot be taken back:
// who sends one means something that would not happen.
func NoQuery(r *http.Request) error {
	q, err := Query(r)
	if err != nil || len(q) == 0 {
		return err
	}
	bad := make(map[string]string, len(q))
	for name := range q {
		bad[name] = UnknownParameter
	}
	return problem.Fields(bad)
}

// UnknownParameter is what is wrong with a parameter that an operation does not have.
const UnknownParameter = "is not a parameter of this operation"

// After reads the key a page begins behind; the zero value for a first page. A cursor is not secret and not signed, so
// what it holds is checked like any other input: 400.
func After[T any](p Page, parse func(string) (T, error)) (after T, err error) {
	if p.After == "" {
		return after, nil
	}
	if after, err = parse(p.After); err != nil {
		return after, problem.Field("cursor", "is not a cursor of this list")
	}
	return after, nil
}
