package rest

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

func parse(target string, binding ...string) (Page, error) {
	return ParsePage(httptest.NewRequest("GET", target, nil), binding...)
}

func TestTheLimit(t *testing.T) {
	for query, want := range map[string]int{
		"":                  50,
		"?limit=1":          1,
		"?limit=250":        250,
		"?limit=0":          0,
		"?limit=251":        0,
		"?limit=-1":         0,
		"?limit=":           0,
		"?limit=05":         0,
		"?limit=%2B5":       0,
		"?limit=5.0":        0,
		"?limit=1e1":        0,
		"?limit=%D9%A5":     0, // an Arabic five
		"?limit=5&limit=5":  0,
		"?limit=9999999999": 0,
		"?limit=ten":        0,
	} {
		p, err := parse("/v1/users" + query)
		if want > 0 && (err != nil || p.Limit != want || p.Fetch() != want+1) {
			t.Errorf("%q: %+v, %v", query, p, err)
		}
		if want == 0 && !hasField(err, "limit") {
			t.Errorf("%q: %v", query, err)
		}
	}
	if _, err := parse("/v1/users?limit=0&cursor=x"); !hasField(err, "limit") || !hasField(err, "cursor") {
		t.Errorf("not both at once: %v", err)
	}
	if _, err := parse("/v1/users?email=%zz"); !problem.Is(err, "invalid_request") {
		t.Errorf("a malformed query: %v", err)
	}
}

func hasField(err error, name string) bool {
	fields, _ := problem.From(err).Details["fields"].(map[string]string)
	return problem.Is(err, "invalid_request") && fields[name] != ""
}

func TestAListIsReadToItsEndPageByPage(t *testing.T) {
	rows := make([]int, 25)
	for i := range rows {
		rows[i] = i
	}
	var got []int
	for target, pages := "/v1/users?limit=10", 0; ; pages++ {
		p, err := parse(target, "tenant-a")
		if err != nil || pages > 3 {
			t.Fatal(err, pages)
		}
		from := 0
		if p.After != "" {
			after, err := strconv.Atoi(p.After)
			if err != nil {
				t.Fatal(err)
			}
			from = after + 1
		}
		l := NewList(p, rows[from:min(from+p.Fetch(), len(rows))], strconv.Itoa)
		got = append(got, l.Data...)
		if l.HasMore != (l.NextCursor != nil) {
			t.Fatalf("has_more and next_cursor disagree: %+v", l)
		}
		if !l.HasMore {
			break
		}
		target = "/v1/users?limit=10&cursor=" + *l.NextCursor
	}
	if len(got) != 25 || got[24] != 24 {
		t.Errorf("got %v", got)
	}
}

func TestAnEmptyListIsAnArray(t *testing.T) {
	p, _ := parse("/")
	data, err := json.Marshal(NewList(p, nil, func(string) string { return "" }))
	if err != nil || string(data) != `{"data":[],"next_cursor":null,"has_more":false}` {
		t.Errorf("got %s, %v", data, err)
	}
}

func cursorOf(t *testing.T, target, tenant string) string {
	t.Helper()
	p, err := parse(target, tenant)
	if err != nil {
		t.Fatal(err)
	}
	p.Limit = 1
	return *NewList(p, []string{"key", "next"}, func(s string) string { return s }).NextCursor
}

func TestACursorHoldsForItsOwnListAlone(t *testing.T) {
	cursor := cursorOf(t, "/v1/users?q=ada&active=true", "tenant-a")
	with := func(target string) string { return target + "cursor=" + url.QueryEscape(cursor) }
	for _, c := range []struct {
		name, target, tenant string
		ok                   bool
	}{
		{"the same list", with("/v1/users?q=ada&active=true&"), "tenant-a", true},
		{"its filters in another order, and another limit", with("/v1/users?active=true&limit=7&q=ada&"), "tenant-a", true},
		{"another tenant", with("/v1/users?q=ada&active=true&"), "tenant-b", false},
		{"another path", with("/v1/domains?q=ada&active=true&"), "tenant-a", false},
		{"another filter", with("/v1/users?q=bob&active=true&"), "tenant-a", false},
		{"one filter more", with("/v1/users?q=ada&active=true&email=x&"), "tenant-a", false},
		{"one filter less", with("/v1/users?q=ada&"), "tenant-a", false},
		{"the cursor twice", with("/v1/users?q=ada&active=true&") + "&cursor=" + cursor, "tenant-a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := parse(c.target, c.tenant)
			if c.ok && (err != nil || p.After != "key") || !c.ok && !hasField(err, "cursor") {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	if bindTo([]string{"ab", "c"}) == bindTo([]string{"a", "bc"}) || bindTo([]string{"a"}) == bindTo([]string{"a", ""}) {
		t.Error("different bindings look alike")
	}
}

func TestADamagedCursorIsRefused(t *testing.T) {
	good := cursorOf(t, "/v1/users", "tenant-a")
	bad := []string{"", "x", "null", "cursor", strings.Repeat("A", 22), strings.Repeat("A", 4000), good + "=", good + "A", good[1:], good[:len(good)-1], " " + good}
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	for i := range raw {
		flipped := append([]byte(nil), raw...)
		flipped[i] ^= 1
		bad = append(bad, base64.RawURLEncoding.EncodeToString(flipped))
	}
	p, _ := parse("/v1/users", "tenant-a")
	for _, key := range []string{"a\x00b", "a\nb", "\xff", strings.Repeat("k", maxAfter+1), ""} { // forged: well sealed, but unfit
		bad = append(bad, p.bind.seal(key))
	}
	for _, cursor := range bad {
		if p, err := parse("/v1/users?cursor="+url.QueryEscape(cursor), "tenant-a"); !hasField(err, "cursor") {
			t.Errorf("%.40q: %+v, %v", cursor, p, err)
		}
	}
}
