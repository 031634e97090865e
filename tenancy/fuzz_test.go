package tenancy

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// canonical holds what is true of every Host, wherever it came from.
func canonical(t *testing.T, from string, h Host) {
	t.Helper()
	s := string(h)
	if again, err := ParseHost(s); err != nil || again != h {
		t.Errorf("%q gives %q, which gives %q, %v", from, h, again, err)
	}
	if len(s) == 0 || len(s) > 253 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.Contains(s, "..") {
		t.Errorf("%q gives %q", from, h)
	}
	if _, err := netip.ParseAddr(s); err == nil {
		t.Errorf("%q gives the address %q", from, h)
	}
	for label := range strings.SplitSeq(s, ".") {
		if shown, err := idna.Lookup.ToUnicode(label); strings.HasPrefix(label, "xn--") && (err != nil || shown == label) {
			t.Errorf("%q gives %q, whose label %q cannot be shown: %v", from, h, label, err)
		}
	}
}

// FuzzParseHost: spellings of one host differ in case and a trailing dot alone.
func FuzzParseHost(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHost(s)
		if err != nil {
			if h != "" {
				t.Errorf("%q is refused and gives %q", s, h)
			}
			return
		}
		canonical(t, s, h)
		if lowerASCII(strings.TrimSuffix(s, ".")) != string(h) {
			t.Errorf("%q gives %q", s, h)
		}
		for _, other := range []string{strings.ToUpper(string(h)), string(h) + ".", strings.ToUpper(string(h)) + "."} {
			if same, err := ParseHost(other); err != nil || same != h {
				t.Errorf("%q gives %q, %v, want %q", other, same, err, h)
			}
		}
		a := Address{scheme: "https", shared: "id.example.com"}
		for header, want := range map[string]Host{s: h, s + ":443": h, s + ":80": "", s + ":": "", s + ":443:443": ""} {
			if got, err := a.Host(header); got != want || (err == nil) != (want != "") {
				t.Errorf("Host: %q gives %q, %v, want %q", header, got, err, want)
			}
		}
	})
}

// FuzzParseDomain: what a person claims is a host that requests can name, and shown and typed again is the same.
func FuzzParseDomain(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseDomain(s)
		if err != nil {
			return
		}
		canonical(t, s, h)
		if strings.HasSuffix(s, "..") {
			t.Errorf("%q gives %q", s, h)
		}
		if again, err := ParseDomain(string(h)); err != nil || again != h {
			t.Errorf("%q gives %q, which gives %q, %v", s, h, again, err)
		}
		shown, err := idna.Lookup.ToUnicode(string(h))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseDomain(shown); err != nil || again != h {
			t.Errorf("%q gives %q, shown as %q, which gives %q, %v", s, h, shown, again, err)
		}
		if !strings.Contains(string(h), ".") {
			t.Errorf("%q gives the top-level domain %q", s, h)
		}
	})
}

// FuzzParseSlug: a slug has one spelling, is a label of a host and a segment of a path.
func FuzzParseSlug(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		slug, err := ParseSlug(s)
		fresh, newErr := ParseNewSlug(s)
		if newErr == nil && (err != nil || fresh != slug) {
			t.Errorf("%q may be made as %q but not named: %q, %v", s, fresh, slug, err)
		}
		if newErr == nil && (reserved[fresh] || strings.HasPrefix(s, "xn--")) {
			t.Errorf("%q may be made", s)
		}
		if err != nil {
			return
		}
		if string(slug) != s || len(s) < 3 || len(s) > 40 || strings.ContainsAny(s, "/%.:@_ \n") {
			t.Errorf("%q gives %q", s, slug)
		}
		if newErr == nil {
			if h, err := ParseHost(s + ".example.com"); err != nil || string(h) != s+".example.com" {
				t.Errorf("%q is no label: %q, %v", s, h, err)
			}
		}
	})
}

// FuzzClaimedByKey: a key names its tenant in one way only.
func FuzzClaimedByKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, key string) {
		c := claimedByKey(key)
		if !c.OK {
			if c.Tenant != (id.Tenant{}) {
				t.Errorf("%q names nobody and gives %s", key, c.Tenant)
			}
			return
		}
		if !strings.HasPrefix(key, FormatSecret(KeyPrefix, c.Tenant, nil)) {
			t.Errorf("%q names %s, whose keys begin with %q", key, c.Tenant, FormatSecret(KeyPrefix, c.Tenant, nil))
		}
	})
}

// FuzzClaimedByToken: whatever a token holds, the tenant it names is written in it in canonical form.
func FuzzClaimedByToken(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		c := claimedByToken(s)
		if !c.OK {
			if c.Tenant != (id.Tenant{}) {
				t.Errorf("%q names nobody and gives %s", s, c.Tenant)
			}
		} else if c != claimedByToken(token(`{"tenant_id":"`+c.Tenant.String()+`"}`)) {
			t.Errorf("%q names %s, which a token with that claim does not", s, c.Tenant)
		}
		claims, err := json.Marshal(map[string]string{"tenant_id": s})
		if err != nil {
			t.Fatal(err)
		}
		if in := claimedByToken(token(string(claims))); in.OK && in.Tenant.String() != s {
			t.Errorf("a tenant_id %q names %s", s, in.Tenant)
		}
	})
}
