package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"unicode"
	"unicode/utf8"

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
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // r.URL.Query would drop what it cannot read, and with it a filter
		return Page{}, problem.Invalid("The query of the address is malformed.")
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

// binding is the digest of what a cursor belongs to.
type binding [sha256.Size]byte

// checkSize is how many bytes of the digest a cursor carries.
const checkSize = 16

// maxAfter bounds the key in a cursor, in bytes.
const maxAfter = 512

// bindTo digests the parts with their lengths, so that no two lists of parts look alike.
func bindTo(parts []string) (b binding) {
	h := sha256.New()
	for _, part := range parts {
		writePart(h, part)
	}
	h.Sum(b[:0])
	return b
}

func writePart(h interface{ Write([]byte) (int, error) }, part string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	_, _ = h.Write(n[:]) // a hash does not fail
	_, _ = h.Write([]byte(part))
}

func (b binding) check(after string) []byte {
	h := sha256.New()
	writePart(h, string(b[:]))
	writePart(h, after)
	return h.Sum(nil)[:checkSize]
}

// seal makes a cursor. The digest has no key, as replicas would have to share it and nothing depends on its secrecy: it
// catches cursors of other lists and damage, while a forged cursor only starts a list the client may read anyway at a row
// of its choice. Whose rows are listed comes from the request's tenant and never from the cursor.
func (b binding) seal(after string) string {
	return base64.RawURLEncoding.EncodeToString(append(b.check(after), after...))
}

// open reads a cursor back; strictly, so that a cursor has one spelling.
func (b binding) open(cursors []string) (after string, ok bool) {
	if len(cursors) != 1 || len(cursors[0]) > base64.RawURLEncoding.EncodedLen(checkSize+maxAfter) {
		return "", false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursors[0])
	if err != nil || len(data) <= checkSize {
		return "", false
	}
	after = string(data[checkSize:])
	if !plain(after) || subtle.ConstantTimeCompare(data[:checkSize], b.check(after)) != 1 {
		return "", false
	}
	return after, true
}

// plain reports whether Postgres would take the text: valid UTF-8, and no control characters, NUL above all.
func plain(s string) bool {
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}
	return utf8.ValidString(s)
}
