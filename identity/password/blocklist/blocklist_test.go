package blocklist

import (
	"strings"
	"testing"
)

func TestTheListHoldsWhatIsTriedFirst(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"password", "12345678", "passwordpassword", "Passwordpassword1", "qwertyuiop12345", "iloveyouiloveyou", "password123456789",
		"1qaz2wsx3edc4rfv", "1QAZ2WSX3edc4rfv5tgb", "letmein1234567890", "Welcome123456789", "thequickbrownfox", "to be or not to be",
		"dragon dragon dragon", "monkeydragonmaster", "this is my password", "Summer2024", "qwerasdfzxcv1234", "zaq1xsw2cde3vfr4",
		"\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13", // full width
		"Ich liebe dich so sehr", "jesus christ is lord",
	} {
		if !Contains(Fold(word)) {
			t.Errorf("%q is not in the list", word)
		}
	}
	for _, word := range []string{"", "correct horse battery staple", "a long enough passphrase", "vexing quartz pelican 7", "passwort\u00e9passwort"} {
		if Contains(Fold(word)) {
			t.Errorf("%q is in the list", word)
		}
	}
}

func TestTheListIsSortedWithoutRepetition(t *testing.T) {
	t.Parallel()
	if len(list)%size != 0 {
		t.Fatalf("%d bytes are no whole number of entries", len(list))
	}
	for i := range Len() - 1 {
		if entry(i) >= entry(i+1) {
			t.Fatalf("entry %d is not below the next", i)
		}
	}
}

func TestFoldingIsDoneOnce(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"Stra\u00dfe", "\u0130stanbul", "\u03a3\u03c2", "\u1e9e", "\ufb03", "\u0345\u0308", strings.Repeat("\u00c5", 40)} {
		if once := Fold(s); Fold(once) != once {
			t.Errorf("%q is folded to %q and then to %q", s, once, Fold(once))
		}
	}
}

func BenchmarkContains(b *testing.B) {
	for b.Loop() {
		Contains("a long enough passphrase")
	}
}
