package identity

import (
	"strings"
	"testing"
)

func TestAnAddressHasOneForm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for in, want := range map[string]Email{
		"ada@people.example":                        "ada@people.example",
		"Ada.Lovelace@People.EXAMPLE":               "ada.lovelace@people.example",
		"a@b.example":                               "a@b.example",
		"a+tag@b.example":                           "a+tag@b.example",
		"!#$%&'*+-/=?^_`{|}~@b.example":             "!#$%&'*+-/=?^_`{|}~@b.example",
		"a@bücher.example":                          "a@xn--bcher-kva.example",
		"a@BÜCHER.example":                          "a@xn--bcher-kva.example",
		"a@bu\u0308cher.example":                    "a@xn--bcher-kva.example",
		"a@XN--BCHER-KVA.example":                   "a@xn--bcher-kva.example",
		"a@people\u3002example":                     "a@people.example",
		"a@\uff50eople.example":                     "a@people.example",
		"a@\u212Aelvin.example":                     "a@kelvin.example", // IDNA's own mapping (UTS 46), the same everywhere
		long + "@b.example":                         Email(long + "@b.example"),
		"a@" + strings.Repeat("b", 63) + ".example": Email("a@" + strings.Repeat("b", 63) + ".example"),
	} {
		if got, err := ParseEmail(in); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", in, got, err, want)
		}
	}
	for name, in := range map[string]string{
		"empty": "", "no at": "ada", "no local part": "@b.example", "no domain": "a@", "two ats": "a@b@c.example", "a space": "a b@c.example",
		"space before": " a@b.example", "space behind": "a@b.example ", "a line break": "a@b.example\r\nBcc: c@d.example", "NUL": "a\x00@b.example",
		"NUL in the domain": "a@b\x00.example", "DEL": "a\x7f@b.example", "a display name": "A <a@b.example>", "a quoted local part": `"a b"@c.example`,
		"a comment": "a(x)@b.example", "a dot first": ".a@b.example", "a dot last": "a.@b.example", "two dots": "a..b@c.example", "a dot behind": "a@b.example.",
		"an ideographic dot behind": "a@b.example\u3002", "a full-width dot behind": "a@b.example\uff0e",
		"one label": "a@localhost", "IPv4": "a@127.0.0.1", "an IP literal": "a@[127.0.0.1]", "IPv6": "a@[IPv6:::1]", "a port": "a@b.example:25", "a list": "a@b.example,c@d.example",
		"a percent sign route": "a%c.example@", "a dash first": "a@-b.example", "a dash last": "a@b-.example", "an underscore": "a@b_c.example",
		"é": "é@b.example", "KELVIN SIGN": "\u212A@b.example", "İ": "\u0130@b.example", "dotless i": "ı@b.example", "long s": "ſ@b.example", "full width": "ａ@b.example",
		"zero width": "a\u200b@b.example", "soft hyphen": "a\u00ad@b.example", "invalid UTF-8": "a\xff@b.example", "invalid UTF-8 in the domain": "a@b\xff.example",
		"65 bytes": strings.Repeat("a", 65) + "@b.example", "a long label": "a@" + strings.Repeat("b", 64) + ".example",
		"255 bytes": strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "example", "a half-width dot behind": "a@b.example\uff61",
		"an A-label of ASCII": "a@xn--a-.example", "a bidi mark": "a@b\u202e.example",
	} {
		if got, err := ParseEmail(in); err == nil {
			t.Errorf("%s: %q is taken as %q", name, in, got)
		}
	}
	if d := Email("a@b.example").Domain(); d != "b.example" {
		t.Errorf("domain %q", d)
	}
}

// Whatever is accepted is in its own form already, is ASCII throughout, and its local part came as ASCII: nothing that
// folds into a letter, as U+212A and U+0130 do in strings.ToLower, makes one account of two.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"Ada@People.example", "a@bücher.example", "\u212A@b.example", "a@\u212A.example", "\u0130@b.example", "a@\u0130.example", "a@b.example\u3002",
		"a@b\u3002example", "a@xn--bcher-kva.example", "a@xn--a.example", "a@xn--\u212A.example", "@", "a@b@c.example", "a@ß.example", "a@\u200d.example", "a@1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEmail(s)
		if err != nil {
			if err != ErrEmail || e != "" {
				t.Fatalf("%q: %q, %v", s, e, err)
			}
			return
		}
		again, err := ParseEmail(string(e))
		if err != nil || again != e {
			t.Fatalf("%q is %q, which is %q, %v", s, e, again, err)
		}
		local, domain, _ := strings.Cut(string(e), "@")
		if !strings.EqualFold(local, s[:strings.LastIndexByte(s, '@')]) || len(local) != strings.LastIndexByte(s, '@') {
			t.Fatalf("the local part of %q became %q", s, local)
		}
		for _, c := range []byte(e) {
			if c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z' {
				t.Fatalf("%q holds %q", e, c)
			}
		}
		if len(e) > 254 || !strings.Contains(domain, ".") || strings.Contains(domain, "@") || string(e.Domain()) != domain {
			t.Fatalf("%q", e)
		}
		if upper, err := ParseEmail(strings.ToUpper(string(e))); err != nil || upper != e {
			t.Fatalf("%q in upper case is %q, %v", e, upper, err)
		}
	})
}
