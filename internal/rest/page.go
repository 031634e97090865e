package rest

import (
	"net/http"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Limits of a page, in rows.
const (
	DefaultLimit = 50
	MaxLimit     = 250
)

// Page is the part of a list that is asked for: up to Limit rows after the row whose key is After (empty: from the start).
type Page struct {
	Limit int
	After string // from the cursor; parse it like any other input of a client
	bind  binding
}

// Fetch is how many rows to read: one more than the page, which shows whether there is another page.
func (p Page) Fetch() int { return p.Limit + 1 }

// ParsePage reads ?limit= (1 to 250, default 50) and ?cursor=. The cursor holds for the list it came from and no other: the
// path, every other parameter of the query (the filters) and the binding, which is at least the tenant. A bad limit, a
// cursor of another list and garbage are 400.
func ParsePage(r *http.Request, binding ...string) (Page, error) {
	q, err := Query(r)
	if err != nil {
		return Page{}, err
	}
	fields := make(map[string]string)
	p := Page{Limit: DefaultLimit}
	if values, ok := q["limit"]; ok {
		if p.Limit, ok = parseLimit(values); !ok {
			fields["limit"] = "must be a whole number from 1 to " + strconv.Itoa(MaxLimit)
		}
	}
	cursors, resumed := q["cursor"]
	q.Del("limit")
	q.Del("cursor")
	p.bind = bindTo(append([]string{r.URL.Path, q.Encode()}, binding...))
	if resumed {
		var ok bool
		if p.After, ok = p.bind.open(cursors); !ok {
			fields["cursor"] = "is not a cursor of this list"
		}
	}
	if len(fields) > 0 {
		return Page{}, problem.Fields(fields)
	}
	return p, nil
}

// parseLimit takes plain digits only, as 05 and +5 are signs of a confused client.
func parseLimit(values []string) (int, bool) {
	if len(values) != 1 || len(values[0]) > 3 {
		return 0, false
	}
	n, err := strconv.Atoi(values[0])
	return n, err == nil && n >= 1 && n <= MaxLimit && strconv.Itoa(n) == values[0]
}

// List is a page as it is sent.
type List[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

// NewList makes the answer of up to p.Fetch rows; key gives the sort key of a row, which comes back as After. key sees the
// last row of the page only.
func NewList[T any](p Page, rows []T, key func(T) string) List[T] {
	if rows == nil {
		rows = []T{} // data is [] and never null
	}
	l := List[T]{Data: rows}
	if len(rows) > p.Limit {
		l.Data = rows[:p.Limit:p.Limit]
		l.HasMore = true
		cursor := p.bind.seal(key(l.Data[p.Limit-1]))
		l.NextCursor = &cursor
	}
	return l
}
