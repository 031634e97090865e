package tenancy

import (
	"errors"
	"strings"
	"testing"
)

// Names as people write them, and what they are in DNS (UTS 46 section 4, its tables and test files; RFC 5891, RFC 5893).
func TestANameIsReadAsUTS46Says(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]Host{
		"bücher.example":                       "xn--bcher-kva.example",
		"BÜCHER.example":                       "xn--bcher-kva.example",
		"bu\u0308cher.example":                 "xn--bcher-kva.example", // composed (NFC)
		"xn--bcher-kva.example":                "xn--bcher-kva.example",
		"XN--BCHER-KVA.EXAMPLE":                "xn--bcher-kva.example",
		"faß.example":                          "xn--fa-hia.example", // not fass: the processing is non-transitional
		"βόλος.example":                        "xn--nxasmm1c.example",
		"نامه\u200cای.example":                 "xn--mgba3gch31f060k.example", // a joiner where its context allows one
		"bücher。example":                       "xn--bcher-kva.example",       // other dots
		"bücher．example｡":                      "xn--bcher-kva.example",
		"ｌｏｇｉｎ.example":                        "login.example", // full width
		"login.\u00adexample":                  "login.example", // a soft hyphen is nothing
		"مثال.example":                         "xn--mgbh0fb.example",
		"пример.испытание":                     "xn--e1afmkfd.xn--80akhbyknj4f",
		"a.b.c.example.com":                    "a.b.c.example.com",
		"1.example":                            "1.example",
		"a--b.example":                         "a--b.example",
		strings.Repeat("a", 63) + ".example":   Host(strings.Repeat("a", 63) + ".example"),
		"аррӏе.example":                        "xn--80ak6aa92e.example", // looks like another name: who proves it has it
		"login.tenant.k12.ma.example":          "login.tenant.k12.ma.example",
		"shop.localhost":                       "shop.localhost",
		"example.co.uk":                        "example.co.uk",
		"acme.github.io":                       "acme.github.io",
		"食狮.公司.cn":                             "xn--85x722f.xn--55qx5d.cn",
		"www.ck":                               "www.ck", // the exception of *.ck
		"nobody.has.registered.this.cromulent": "nobody.has.registered.this.cromulent",
	} {
		h, err := ParseClaim(written)
		if err != nil || h != want {
			t.Errorf("%q is %q, %v, want %q", written, h, err, want)
		}
		if again, err := ParseClaim(h.Unicode()); err != nil || again != h {
			t.Errorf("%q is shown as %q, which is %q, %v", h, h.Unicode(), again, err)
		}
	}
}

func TestWhatCannotBeClaimed(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]error{
		"co.uk": errPublicSuffix, "CO.UK.": errPublicSuffix, "github.io": errPublicSuffix, "公司.cn": errPublicSuffix, "xn--55qx5d.cn": errPublicSuffix,
		"anything.ck": errPublicSuffix, "city.kawasaki.jp": nil, "other.kawasaki.jp": errPublicSuffix, "s3.amazonaws.com": errPublicSuffix, "blogspot.com": errPublicSuffix,

		"com": ErrHost, "localhost": ErrHost, "": ErrHost, ".": ErrHost, "..": ErrHost, "example.com..": ErrHost, ".example.com": ErrHost, "a..example": ErrHost,
		"*.example.com": ErrHost, "*": ErrHost, "a_b.example": ErrHost, "-a.example": ErrHost, "a-.example": ErrHost, "a b.example": ErrHost, "a.example\n": ErrHost,
		"127.0.0.1": ErrHost, "2130706433": ErrHost, "0x7f.1": ErrHost, "1.2.3": ErrHost, "::1": ErrHost, "[::1]": ErrHost, "[2001:db8::1]": ErrHost, "a.example:443": ErrHost,
		"https://a.example": ErrHost, "a.example/": ErrHost, "a@b.example": ErrHost, "a\x00.example": ErrHost, "\xff.example": ErrHost,

		"xn--a.example": ErrHost, "xn--.example": ErrHost, "xn--fa-hia-.example": ErrHost, "xn--80ak6aa92e-.example": ErrHost, "xn--BCHER-KVA-.example": ErrHost,
		"a\u200cb.example": ErrHost, "a\u200db.example": ErrHost, // joiners where nothing joins
		"אa.example": ErrHost, "a.ب1\u0661.example": ErrHost, // against the bidi rule
		"\u0300a.example": ErrHost, "a≠b.example": ErrHost, "☃\ufffd.example": ErrHost, "a\u2488com.example": ErrHost,
		"ab--c\u00fc.example": ErrHost, strings.Repeat("a", 64) + ".example": ErrHost,
		strings.Repeat("a.", 126) + "example": ErrHost, strings.Repeat("abcdefghi.", 24) + "example": errNoRoom,
	} {
		if h, err := ParseClaim(written); !errors.Is(err, want) || (err == nil) != (h != "") {
			t.Errorf("%q: %q, %v, want %v", written, h, err, want)
		}
	}
}
