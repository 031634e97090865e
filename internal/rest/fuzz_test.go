package rest

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// FuzzCursor: no cursor is an error of ours, an accepted one has exactly one spelling, and none is good for two tenants.
func FuzzCursor(f *testing.F) {
	f.Fuzz(func(t *testing.T, limit, cursor, key string) {
		r := httptest.NewRequest("GET", "/v1/users?"+url.Values{"limit": {limit}, "cursor": {cursor}}.Encode(), nil)
		p, err := ParsePage(r, "tenant-a")
		if err != nil && !problem.Is(err, "invalid_request") {
			t.Fatal(err)
		}
		if err == nil && p.bind.seal(p.After) != cursor {
			t.Fatalf("%q has another spelling", cursor)
		}
		a, b := bindTo([]string{"tenant-a"}), bindTo([]string{"tenant-b"})
		after, ok := a.open([]string{a.seal(key)})
		if ok != (key != "" && len(key) <= maxAfter && plain(key)) || ok && after != key {
			t.Fatalf("%q came back as %q, %v", key, after, ok)
		}
		if _, ok := b.open([]string{a.seal(key)}); ok {
			t.Fatal("a cursor of another tenant is accepted")
		}
	})
}

// FuzzForwarded: whatever the headers say, a client behind no proxy of ours is its own peer, and behind one it is never an
// address of our proxies unless all are.
func FuzzForwarded(f *testing.F) {
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Host = peer, "own.example"
		r.Header = http.Header{"X-Forwarded-For": {first, second}, "X-Forwarded-Host": {first, second}}
		addr, own := clientAddr(r, proxies), peerAddr(r)
		if addr.Is4In6() || addr.Zone() != "" {
			t.Fatalf("%v is not canonical", addr)
		}
		if within(proxies, own) {
			return
		}
		if addr != own || ForwardedHost(r, proxies) != "own.example" {
			t.Fatalf("%v was believed", own)
		}
	})
}

// FuzzMediaType: the rule is narrower than the standard library's reading of a media type, and never wider.
func FuzzMediaType(f *testing.F) {
	f.Fuzz(func(t *testing.T, media string) {
		if jsonOnly(http.Header{"Content-Type": {media}}) != nil {
			return
		}
		name, params, err := mime.ParseMediaType(media)
		if err != nil || name != "application/json" || len(params) > 1 || len(params) == 1 && !strings.EqualFold(params["charset"], "utf-8") {
			t.Fatalf("%q is accepted, and is %s %v, %v", media, name, params, err)
		}
	})
}
