package password

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/identity/password/blocklist"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// distinct is n characters that nothing but their number is to be said of.
func distinct(n int) string {
	return "kX7qWz2 mVb9tRg4pLd6sHn3cJf8yTw5kQa1xZe0uPo-iYvNrMdCsGhB7EjUlKwFt9"[:n]
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		raw    string
		min    int // 0: accepted
	}{
		{"default, 14", DefaultPolicy, distinct(14), 15},
		{"default, 15", DefaultPolicy, distinct(15), 0},
		{"zero is the default", Policy{}, distinct(14), 15},
		{"8 with a second factor", Policy{MinLength: 8}, distinct(8), 0},
		{"7 with a second factor", Policy{MinLength: 8}, distinct(7), 8},
		{"below the floor is the floor", Policy{MinLength: 1}, distinct(7), 8},
		{"negative is the floor", Policy{MinLength: -1}, distinct(7), 8},
		{"above the ceiling is the ceiling", Policy{MinLength: 100}, distinct(64), 0},
		{"code points, not bytes", Policy{MinLength: 8}, "字漢仮名交文章", 8},
		{"code points, not UTF-16 units", Policy{MinLength: 8}, "🔑🚪🏠🌙", 8},
		{"counted after NFKC: fewer", Policy{MinLength: 8}, "e\u0301a\u0301o\u0301u\u0301i\u0301n\u0301c\u0301", 8},
		{"counted after NFKC: more", Policy{MinLength: 8}, "ﬃ㎏ﬁ㏂", 0},
		{"no rule about kinds", DefaultPolicy, "nothing but small letters", 0},
	} {
		err := c.policy.Check(parsed(t, c.raw), Words{Tenant: []string{"acme"}})
		var weak *WeakError
		switch {
		case c.min == 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.min > 0 && (!errors.Is(err, ErrWeak) || !errors.As(err, &weak) || !slices.Equal(weak.Reasons, []Reason{TooShort}) || weak.Min != c.min):
			t.Errorf("%s: %v, want too short for %d", c.name, err, c.min)
		case c.min > 0 && !strings.Contains(err.Error(), fmt.Sprint(c.min)):
			t.Errorf("%s: the sentence %q does not say %d", c.name, err, c.min)
		}
	}
	if err := DefaultPolicy.Check(Password{}, Words{}); !errors.Is(err, ErrWeak) {
		t.Errorf("the zero password: %v", err)
	}
}

func TestPolicySaysEveryReasonAtOnce(t *testing.T) {
	words := Words{User: []string{"ada.lovelace@analytical-engines.example", "Ada Lovelace"}, Tenant: []string{"acme-works", "Acme Works Ltd", "login.acme.example"}}
	for raw, want := range map[string][]Reason{
		"password":         {TooShort, Common},
		"PassWordPassWord": {Common, Repeated},
		"ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ": {Common, Repeated},
		"xyxyxyxyxyxyxyxyx":       {Repeated},
		strings.Repeat("z", 1024): {Repeated},
		"               ":         {Repeated},
		"🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑":                         {Repeated},
		"sunshine sunshine sunshine":              {Common},
		"unseen01unseen01unseen01":                nil, // eight characters that nobody knows
		"1234567890123456789":                     {Common, Sequence},
		"zyxwvutsrqponmlkj":                       {Sequence},
		"defghijklmnopqrstuvwxyzabc":              {Sequence},
		"Ada.Lovelace-2026!":                      {ContainsUser},
		"lovelace lovelace 1815":                  {ContainsUser},
		"ada.lovelace@analytical-engines.example": {ContainsUser},
		"acmeworks2026!!":                         {ContainsTenant},
		"ACME-WORKS-works-1":                      {ContainsTenant},
		"acme password 12":                        {ContainsTenant},
		"acme gatehouse 1!":                       {ContainsTenant, ContainsService},
		"lovelace@acme2026":                       {ContainsUser, ContainsTenant},
		"gatehousegatehouse":                      {ContainsService},
		"gatehouse":                               {TooShort, ContainsService},
		"acme is where the lamps are lit":         nil,
		"acme 719340 528167":                      nil, // twelve digits are a secret of their own
		"acme12345678901234":                      {ContainsTenant},
		"correct horse battery staple":            nil,
		"a long enough passphrase":                nil,
	} {
		err := DefaultPolicy.Check(parsed(t, raw), words)
		var weak *WeakError
		if errors.As(err, &weak); err == nil && want == nil {
			continue
		}
		if weak == nil || !slices.Equal(weak.Reasons, want) || weak.Min != 15 {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

// Only whole words of three characters and more count, and nobody without a name is refused for it.
func TestWordsThatSayNothing(t *testing.T) {
	for _, w := range []Words{{}, {User: []string{"", " ", "."}}, {User: []string{"a@b.c", "Jo"}}, {Tenant: []string{"--", "x"}}} {
		if err := DefaultPolicy.Check(parsed(t, "vexing quartz pelican 7"), w); err != nil {
			t.Errorf("%v: %v", w, err)
		}
	}
}

type breached struct {
	sum [sha1.Size]byte
	err error
}

func (b breached) Contains(sum [sha1.Size]byte) (bool, error) { return sum == b.sum, b.err }

func TestBreachedPasswordsAreRefused(t *testing.T) {
	const raw = "vexing quartz pelican 7"
	p := Policy{Breaches: breached{sum: sha1.Sum([]byte(raw))}}
	var weak *WeakError
	if err := p.Check(parsed(t, raw), Words{}); !errors.As(err, &weak) || !slices.Equal(weak.Reasons, []Reason{Breached}) {
		t.Errorf("%v", err)
	}
	if err := p.Check(parsed(t, "Vexing quartz pelican 7"), Words{}); err != nil {
		t.Errorf("another password: %v", err)
	}
	broken := errors.New("broken")
	p.Breaches = breached{err: broken}
	if err := p.Check(parsed(t, raw), Words{}); !errors.Is(err, broken) || errors.Is(err, ErrWeak) {
		t.Errorf("a filter that cannot tell: %v", err)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("acme-Ada-2026!", "Ada Lovelace", "acme")
	f.Add("\u0130\u1e9e\ufb03", "\u0130", "\ufb03")
	f.Fuzz(func(t *testing.T, raw, user, tenant string) {
		pw, err := Parse(raw)
		if err != nil {
			return
		}
		words := Words{User: []string{user}, Tenant: []string{tenant}}
		err = DefaultPolicy.Check(pw, words)
		var weak *WeakError
		if err != nil && (!errors.As(err, &weak) || len(weak.Reasons) == 0 || err.Error() == "") {
			t.Fatalf("%q: %v", raw, err)
		}
		// To write it larger or smaller, or in full width, makes nothing strong.
		folded, err := Parse(blocklist.Fold(raw))
		if weak == nil && err == nil && folded.Length() == pw.Length() && DefaultPolicy.Check(folded, words) != nil {
			t.Fatalf("%q passes, folded it does not", raw)
		}
	})
}

// The settings are left of this package and say the bounds themselves.
func TestTheSettingsKeepTheBoundsOfThePolicy(t *testing.T) {
	for n, want := range map[int]bool{
		-1: false, 0: false, FloorMinLength - 1: false, FloorMinLength: true, DefaultMinLength: true, CeilMinLength: true, CeilMinLength + 1: false,
	} {
		var s settings.Settings
		s.Password.MinLength = &n
		if bad := s.Check()["password.min_length"]; (bad == "") != want {
			t.Errorf("%d: %q", n, bad)
		}
	}
	if n := (settings.Settings{}).MinLength(); n != DefaultMinLength {
		t.Errorf("%d where the tenant has set none", n)
	}
}
