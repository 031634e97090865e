package password

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		raw    string
		min    int // 0: accepted
	}{
		{"default, 14", DefaultPolicy, strings.Repeat("a", 14), 15},
		{"default, 15", DefaultPolicy, strings.Repeat("a", 15), 0},
		{"zero is the default", Policy{}, strings.Repeat("a", 14), 15},
		{"8 with a second factor", Policy{8}, "aaaaaaaa", 0},
		{"7 with a second factor", Policy{8}, "aaaaaaa", 8},
		{"below the floor is the floor", Policy{1}, "aaaaaaa", 8},
		{"negative is the floor", Policy{-1}, "aaaaaaa", 8},
		{"above the ceiling is the ceiling", Policy{100}, strings.Repeat("a", 64), 0},
		{"code points, not bytes", Policy{8}, "字字字字字字字", 8},
		{"code points, not UTF-16 units", Policy{8}, "🔑🔑🔑🔑", 8},
		{"counted after NFKC: fewer", Policy{8}, strings.Repeat("e\u0301", 7), 8},
		{"counted after NFKC: more", Policy{8}, "ﬃﬃﬃ", 0},
		{"no rule about kinds", DefaultPolicy, "               ", 0},
	} {
		err := c.policy.Check(parsed(t, c.raw), "acme")
		var weak *WeakError
		switch {
		case c.min == 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.min > 0 && (!errors.Is(err, ErrWeak) || !errors.As(err, &weak) || weak.Reason != TooShort || weak.Min != c.min):
			t.Errorf("%s: %v, want too short for %d", c.name, err, c.min)
		case c.min > 0 && !strings.Contains(err.Error(), fmt.Sprint(c.min)):
			t.Errorf("%s: the sentence %q does not say %d", c.name, err, c.min)
		}
	}
	if err := DefaultPolicy.Check(Password{}); !errors.Is(err, ErrWeak) {
		t.Errorf("the zero password: %v", err)
	}
}

func TestPolicyValidate(t *testing.T) {
	for n, want := range map[int]bool{-1: false, 0: false, 7: false, 8: true, 15: true, 64: true, 65: false} {
		if got := (Policy{n}).Validate() == nil; got != want {
			t.Errorf("%d: allowed %v", n, got)
		}
	}
}
