package pages

import "net/url"

// listPage is a page of a list of the API.
type listPage[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

// list reads the page of a list that the address asks for. q is what is asked for besides; nil: nothing.
func list[T any](v *visit, path string, q url.Values) (p listPage[T], err error) {
	if q == nil {
		q = url.Values{}
	}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
	}
	return p, v.get(path, q, &p)
}
