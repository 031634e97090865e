package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// patterns yields the passwords that people make of others when one is too short. Whole repetitions of something short,
// and the alphabet or the digits in order, are not among them: package password sees those of any length itself.
func patterns(seen []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		words := base(seen)
		for _, pattern := range []func([]string) iter.Seq[string]{repeated, numbered, joined, walked, said} {
			for word := range pattern(words) {
				if !yield(word) {
					return
				}
			}
		}
	}
}

// chosen are words that services are set up with, and that the seasons bring.
var chosen = strings.Fields(`password passw0rd p@ssword p@ssw0rd welcome changeme letmein admin administrator default secret
	temporary login access company office service support manager security computer internet qwerty iloveyou
	summer winter spring autumn january february march april june july august september october november december
	monday tuesday wednesday thursday friday saturday sunday`)

// base is what is made longer: the words among the most used passwords, the first sixty of them first.
func base(seen []string) []string {
	var words []string
	for _, s := range seen {
		if len(words) == 60 {
			words = append(words, chosen...)
		}
		letters := strings.IndexFunc(s, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
		if len(words) < 400 && letters && len(s) <= 12 && !slices.Contains(words, s) {
			words = append(words, s)
		}
	}
	return words
}

const longest = 32

// repeated: dragondragondragon1, dragon dragon dragon.
func repeated(words []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, w := range words {
			for _, between := range []string{"", " ", "-", "_", "."} {
				for s := w + between + w; len(s) <= longest; s += between + w {
					for _, tail := range []string{"", "1", "12", "123", "1234", "!"} {
						if (between == "" || tail == "") && !yield(s+tail) {
							return
						}
					}
				}
			}
		}
	}
}

// numbered: dragon1234567890, 123456dragon, Dragon2024!
func numbered(words []string) iter.Seq[string] {
	tails := strings.Fields(`1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 12345678910 123456789123
		123456789123456789 0987654321 987654321 987654 654321 54321 4321 321 123123 123321 111 1111 11111 111111 11111111
		000 0000 00000 000000 00000000 007 69 99 777 7777777 666 1q2w3e 1q2w3e4r 1q2w3e4r5t qwerty qwertyuiop asdf asdfgh abc
		abc123 ! !! !!! 1! 12! 123! 1234! 12345! 123456! @123 @1234 #123 #1 ? . * $`)
	for year := 1950; year <= 2035; year++ {
		tails = append(tails, fmt.Sprint(year))
	}
	return func(yield func(string) bool) {
		for i, w := range words {
			for j, tail := range tails {
				made := []string{w + tail}
				if i < 30 { // the most used are written in more ways
					made = append(made, tail+w, w+tail+"!", w+" "+tail, w+"_"+tail, w+"-"+tail, w+"@"+tail, w+tail+w)
				}
				if j > 60 && i >= 200 {
					break
				}
				for _, s := range made {
					if !yield(s) {
						return
					}
				}
			}
		}
	}
}

// joined: passwordiloveyou, monkey dragon master.
func joined(words []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, between := range []string{"", " ", "-"} {
			for i, a := range words[:60] {
				for j, b := range words[:60] {
					if i != j && !yield(a+between+b) {
						return
					}
				}
			}
		}
		few := words[:24]
		for _, a := range few {
			for _, b := range few {
				for _, c := range few {
					if !yield(a + b + c) {
						return
					}
				}
			}
		}
	}
}

// walked: along the rows of a keyboard, down its columns, and both again with a number behind.
func walked([]string) iter.Seq[string] {
	rows := []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn"}
	columns := []string{"1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik", "9ol", "0p"}
	pairs := strings.Fields("1q 2w 3e 4r 5t 6y 7u 8i 9o 0p")
	var walks []string
	for n := 3; n <= 10; n++ { // qwerasdfzxcv, 1234qwerasdf
		var parts []string
		for _, row := range rows {
			parts = append(parts, row[:min(n, len(row))])
		}
		walks = append(walks, sequences(parts)...)
	}
	walks = append(walks, sequences(columns)...)
	walks = append(walks, sequences(backwards(columns))...)
	walks = append(walks, sequences(pairs)...)
	walks = append(walks, sequences(backwards(pairs))...)
	for i := range columns { // 1qazxsw23edcvfr4
		if i%2 == 1 {
			columns[i] = reversed(columns[i])
		}
	}
	walks = append(walks, sequences(columns)...)
	return func(yield func(string) bool) {
		for _, w := range walks {
			for _, s := range []string{w, reversed(w), w + w, w + reversed(w), w + "1", w + "123", w + "1234", w + "12345", w + "123456", w + "!", "123" + w} {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// sequences is every run of neighbours, joined.
func sequences(parts []string) (all []string) {
	for i := range parts {
		for j := i + 1; j <= len(parts); j++ {
			if s := strings.Join(parts[i:j], ""); utf8.RuneCountInString(s) <= longest {
				all = append(all, s)
			}
		}
	}
	return all
}

func backwards(parts []string) []string {
	all := slices.Clone(parts)
	slices.Reverse(all)
	return all
}

func reversed(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// sayings are sentences that everybody knows.
const sayings = `i love you so much|i love you forever|i love my family|i love my mother|i love my wife|i love my husband|i love my children
i love my dog|i love my cat|i love my life|i hate passwords|i forgot my password|i dont know my password|i dont remember
this is my password|this is a password|this is not a password|this is a secret|my secret password|my password is password|my password is secret
the password is password|enter your password here|type your password here|please let me in|let me in please|let me in now|open sesame
a very long password|a long password|this password is long|this is a long password|this is a strong password|a very secure password
super secret password|top secret password|new password please|change me please|change me now|please change me|change this password
forgot password|no more passwords|what is my password|who needs a password|whats my password|same as always|same as before
i am the best|i am the boss|i am the king|i am the greatest|i am who i am|god is good all the time|god is good|god is love|jesus is lord
jesus loves me|jesus loves you|jesus christ is lord|in god we trust|the lord is my shepherd|god bless america|amazing grace
to be or not to be|to be or not to be that is the question|may the force be with you|live long and prosper|winter is coming|hakuna matata
the quick brown fox|the quick brown fox jumps over the lazy dog|hello my name is|hello world hello|hello kitty hello|good morning everyone
good morning vietnam|have a nice day|have a good day|happy birthday to you|merry christmas|happy new year|never gonna give you up
never say never|never give up|never mind that|live laugh love|life is good|life is beautiful|life is too short|love is in the air
love you forever|love you always|always and forever|forever and always|forever young|together forever|best friends forever
one two three four|one two three four five|one two three four five six|abc def ghi jkl|mary had a little lamb|twinkle twinkle little star
row row row your boat|humpty dumpty|three blind mice|jack and jill|harry potter|lord of the rings|star wars forever|game of thrones
manchester united|manchester city|liverpool forever|youll never walk alone|real madrid|barcelona forever|dallas cowboys|new york yankees
new york city|los angeles lakers|united states of america|united kingdom|the united states|san francisco|california dreaming
hotel california|stairway to heaven|bohemian rhapsody|we are the champions|we will rock you|let it be|imagine all the people
keep calm and carry on|carpe diem|just do it now|yes we can|who let the dogs out|all you need is love|no pain no gain|work hard play hard
trust no one|trust nobody|i want to believe|the truth is out there|elementary my dear watson|a penny for your thoughts|an apple a day
winner winner chicken dinner|you shall not pass|my precious|houston we have a problem|ill be back|hasta la vista baby|to infinity and beyond
wide open spaces|welcome to my world|welcome to the jungle|welcome home|home sweet home|there is no place like home|sweet child of mine
ich liebe dich|ich liebe dich so sehr|mein passwort|das ist mein passwort|kein passwort|passwort vergessen|hallo welt hallo
je taime|je taime mon amour|mot de passe|mon mot de passe|bonjour tout le monde|te amo mucho|te quiero mucho|te amo mi amor|mi contrasena
ti amo|ti amo amore mio|amore mio ti amo|eu te amo|eu te amo muito|minha senha|minha senha secreta|jeg elsker dig|jag alskar dig`

// said: thequickbrownfox, "the quick brown fox", with a number or a mark behind.
func said([]string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.FieldsFuncSeq(sayings, func(r rune) bool { return r == '|' || r == '\n' }) {
			for _, between := range []string{"", " ", "-", "_", "."} {
				s := strings.ReplaceAll(line, " ", between)
				for _, tail := range []string{"", "1", "12", "123", "1234", "12345", "123456", "!", "!!", ".", "?", "1!", "2023", "2024", "2025", "2026", "2027"} {
					if !yield(s + tail) {
						return
					}
				}
			}
		}
	}
}
