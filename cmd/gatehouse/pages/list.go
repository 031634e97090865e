package pages

import (
	"net/url"
	"slices"
)

// listPage is a page of a list of the API.
type listPage[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

// find looks for one thing in all pages of a list.
func find[T any](v *visit, path string, is func(T) bool) (found T, ok bool, err error) {
	for q := (url.Values{"limit": {"250"}}); ; {
		var p listPage[T]
		if err := v.get(path, q, &p); err != nil {
			return found, false, err
		}
		if i := slices.IndexFunc(p.Data, is); i >= 0 {
			return p.Data[i], true, nil
		}
		if p.Next == nil {
			return found, false, nil
		}
		q.Set("cursor", *p.Next)
	}
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
