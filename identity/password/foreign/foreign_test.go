package foreign

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// raw is base64 of what a standard prints in hexadecimal.
func raw(t *testing.T, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawStdEncoding.EncodeToString(b)
}

func text(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) }

const firebaseKey = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA"

const firebaseSum = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ"

// Other people's vectors: what they say verifies, verifies.
func TestHashesOfOthersVerify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, password, hash string
		kind                 Kind
	}{
		// bcrypt: crypt_blowfish 1.1, as passlib quotes it, and jBCrypt.
		{"crypt_blowfish", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt-05"},
		{"crypt_blowfish", "U*U*U", "$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "bcrypt-05"},
		{"passlib", "\u0451", "$2y$05$6bNw2HLQYeqHYyBfLMsv/OUcZd0LKP39b87nBw3.S2tVZSqiQX6eu", "bcrypt-05"},
		{"jBCrypt", "abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi", "bcrypt-10"},

		// argon2: the reference implementation's test.c.
		{"phc-winner-argon2", "password", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA", "argon2i-65536-2-1"},
		{"phc-winner-argon2", "password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "argon2id-65536-2-1"},

		// scrypt: RFC 7914 section 12, and passlib's documentation.
		{"RFC 7914", "password", "$scrypt$ln=10,r=8,p=16$" + text("NaCl") + "$" +
			raw(t, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"), "scrypt-10-8-16"},
		{"RFC 7914", "pleaseletmein", "$scrypt$ln=14,r=8,p=1$" + text("SodiumChloride") + "$" +
			raw(t, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"), "scrypt-14-8-1"},
		{"passlib", "nacl", "$scrypt$ln=1,r=4,p=2$yhnD+J+Tci4lZCwFgHCuVQ$fAsEWmxSHuC0cHKMwKVFPzrQukgvK09Sj+NueTSxKds", "scrypt-1-4-2"},

		// PBKDF2: RFC 7914 section 11 (sums of two blocks; the first is a sum of its own), passlib.
		{"RFC 7914", "passwd", "$pbkdf2-sha256$i=1,l=64$" + text("salt") + "$" +
			raw(t, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"), "pbkdf2-sha256-2"},
		{"RFC 7914", "passwd", "$pbkdf2-sha256$i=1$" + text("salt") + "$" + raw(t, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"), "pbkdf2-sha256-1"},
		{"RFC 7914", "Password", "$pbkdf2-sha256$i=80000,l=32$" + text("NaCl") + "$" + raw(t, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"), "pbkdf2-sha256-80000"},
		{"passlib", "password", "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ", "pbkdf2-sha256-1212"},
		{"passlib", "password", "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww", "pbkdf2-sha512-1212"},

		// github.com/firebase/scrypt, README, in each spelling.
		{"firebase", "user1password", "$firebase-scrypt$ln=14,r=8,ss=Bw,sk=" + firebaseKey + "$42xEC+ixf3L2lw$" + firebaseSum, "firebase-14-8"},
		{"firebase", "user1password", "$firebase-scrypt$sk=" + firebaseKey + "==,ss=Bw==,m=14,r=8$42xEC+ixf3L2lw==$" + firebaseSum + "==", "firebase-14-8"},
		{"firebase", "user1password", "$firebase-scrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=" + firebaseKey + "==$42xEC+ixf3L2lw==$" + firebaseSum + "==", "firebase-14-8"},
		{"firebase", "user1password", "$firebase-scrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$" + firebaseSum + "==$Bw==$" + firebaseKey + "==", "firebase-14-8"},

		// Directories, as passlib's tests quote them.
		{"OpenLDAP", "testing123", "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "ssha"},
		{"OpenLDAP", "secret", "{SSHA}0H+zTv8o4MR4H43n03eCsvw1luG8LdB7", "ssha"},
		{"passlib", "test", "{SSHA}P90+qijSp8MJ1tN25j5o1PflUvlqjXHOGeOckw==", "ssha"},
		{"passlib", "toomanysecrets", "{SSHA256}RrTKrg6HFXcjJ+eDAq4UtbODxOr9RLeG+I69FoJvutcbY0zpfU+p1Q==", "ssha256"},
		{"passlib", "letm\u00e8\u00efn", "{SSHA512}mpNUSmZc3TNx+RnPwkIAVMf7ocEKLPrIoQNsg4Eu8dHvyCeb2xzHp5A6n4tF7ntknSvfvRZaJII4ImvNJlYsgiwAm0FMqR+3", "ssha512"},
	} {
		h, err := Parse(c.hash)
		if err != nil {
			t.Errorf("%s, %s: %v", c.from, c.hash, err)
			continue
		}
		if h.Kind() != c.kind || h.Text() != c.hash {
			t.Errorf("%s, %s: a %s", c.from, c.hash, h.Kind())
		}
		if !h.Matches([]byte(c.password)) {
			t.Errorf("%s, %s: %q does not match", c.from, c.hash, c.password)
		}
		if h.Matches([]byte(c.password + " ")) {
			t.Errorf("%s, %s: another password matches", c.from, c.hash)
		}
		decoy, ok := Decoy(c.kind)
		if !ok || decoy.Kind() != c.kind {
			t.Errorf("the decoy of %s: %v, a %s", c.kind, ok, decoy.Kind())
		}
	}
}

// bcrypt looks at 72 bytes, so whoever knows those of a longer password would be let in.
func TestBcryptOfMoreThan72BytesIsRefused(t *testing.T) {
	t.Parallel()
	// crypt_blowfish: the first 72 bytes of this password and what they were made of are one hash.
	const long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"
	h, err := Parse("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui")
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches([]byte(long[:72])) {
		t.Error("72 bytes do not match")
	}
	if h.Matches([]byte(long)) || h.Matches([]byte(long[:73])) {
		t.Error("more than 72 bytes match")
	}
}

func TestWhatIsRefusedAtImport(t *testing.T) {
	t.Parallel()
	const salt, sum = "aM15713r3Xsvxbi31lqr1Q", "nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"
	for hash, want := range map[string]error{
		"":                               ErrUnknown,
		"password":                       ErrUnknown,
		"$1$salt$qJH7.N4xYta3aEG/dfqo/0": ErrUnknown, // md5crypt
		"$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e": ErrUnknown,
		"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=":                            ErrUnknown, // without salt
		"{ssha}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr":                       ErrUnknown,
		" {SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr":                      ErrUnknown,

		"$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":  ErrCost,
		"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":  ErrCost,
		"$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":  ErrCost,
		"$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":  ErrCost,
		"$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":   ErrMalformed,
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe":   ErrMalformed,
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW": ErrMalformed,
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe\n": ErrMalformed,

		"$argon2i$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA": ErrCost,
		"$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA":        ErrMalformed, // version 16
		"$argon2d$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA":   ErrUnknown,
		// One of ours: it is of another tenant or user, and would verify nothing.
		"$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ$" + salt + "$" + sum: ErrMalformed,

		"$scrypt$ln=21,r=8,p=1$" + salt + "$" + sum:                   ErrCost,
		"$scrypt$ln=18,r=8,p=1$" + salt + "$" + sum:                   ErrCost,
		"$scrypt$ln=16,r=8,p=64$" + salt + "$" + sum:                  ErrCost,
		"$scrypt$ln=10,r=134217728,p=1$" + salt + "$" + sum:           ErrCost,
		"$scrypt$ln=99999999999999999999,r=8,p=1$" + salt + "$" + sum: ErrCost,
		"$scrypt$ln=0,r=1,p=1$" + salt + "$" + sum:                    ErrCost,
		"$scrypt$ln=16,r=8$" + salt + "$" + sum:                       ErrMalformed,
		"$scrypt$ln=016,r=8,p=1$" + salt + "$" + sum:                  ErrMalformed,
		"$scrypt$ln=+16,r=8,p=1$" + salt + "$" + sum:                  ErrMalformed,
		"$scrypt$ln=16,r=8,p=1,r=8$" + salt + "$" + sum:               ErrMalformed,
		"$scrypt$ln=16,r=8,p=1,x=1$" + salt + "$" + sum:               ErrMalformed,
		"$scrypt$ln=16,r=8,p=1$" + salt + "$":                         ErrMalformed,
		"$scrypt$ln=16,r=8,p=1$$" + sum:                               ErrMalformed,
		"$scrypt$ln=16,r=8,p=1$" + salt + "$c29tZXNhbHQ":              ErrMalformed, // too short to mean anything
		"$scrypt$ln=16,r=8,p=1$" + salt + "$" + sum + "===":           ErrMalformed,
		"$scrypt$ln=16,r=8,p=1$" + salt + "$" + sum + "$":             ErrMalformed,

		"$pbkdf2-sha256$i=2000001$" + salt + "$" + sum:         ErrCost,
		"$pbkdf2-sha512$i=1000001$" + salt + "$" + sum:         ErrCost,
		"$pbkdf2-sha256$i=0$" + salt + "$" + sum:               ErrCost,
		"$pbkdf2-sha256$i=1000001$" + salt + "$" + firebaseSum: ErrCost, // two blocks
		"$pbkdf2-sha256$i=1000,l=31$" + salt + "$" + sum:       ErrMalformed,
		"$pbkdf2-sha256$" + salt + "$" + sum:                   ErrMalformed,
		"$pbkdf2-sha1$i=1000$" + salt + "$" + sum:              ErrUnknown,

		"$firebase-scrypt$ln=18,r=8,ss=Bw,sk=" + firebaseKey + "$42xEC+ixf3L2lw$" + firebaseSum:     ErrCost,
		"$firebase-scrypt$ln=14,r=8,ss=Bw$42xEC+ixf3L2lw$" + firebaseSum:                            ErrMalformed,
		"$firebase-scrypt$ln=14,r=8,ss=Bw,sk=" + sum + "$42xEC+ixf3L2lw$" + firebaseSum:             ErrMalformed,
		"$firebase-scrypt$ln=14,r=8,p=2,ss=Bw,sk=" + firebaseKey + "$42xEC+ixf3L2lw$" + firebaseSum: ErrMalformed,

		"{SSHA}":                                    ErrMalformed,
		"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=":        ErrMalformed, // no salt
		"{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWIm":     ErrMalformed,
		"{SSHA512}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr": ErrMalformed,
		"{SSHA}" + strings.Repeat("A", 1100):        ErrMalformed,
	} {
		if h, err := Parse(hash); !errors.Is(err, want) || h.matches != nil {
			t.Errorf("%q: %v, want %v", hash, err, want)
		}
	}
}

func TestNothingMatchesADecoy(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{"ssha", "ssha256", "ssha512", "scrypt-4-1-1", "pbkdf2-sha256-1", "pbkdf2-sha512-1", "bcrypt-04", "firebase-4-8"} {
		for _, pw := range []string{"", "password", "\x00"} {
			if d, ok := Decoy(k); !ok || d.Matches([]byte(pw)) {
				t.Errorf("%q matches the decoy of %s (%v)", pw, k, ok)
			}
		}
	}
}

func TestKindsThatAreNoneHaveNoDecoy(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{"", "-", "bcrypt", "bcrypt-31", "bcrypt-1-0", "scrypt-16-8", "scrypt-30-8-1", "md5", "pbkdf2-sha256", "pbkdf2-sha256-1-2", "argon2id-1-1-1"} {
		if h, ok := Decoy(k); ok || h.matches != nil {
			t.Errorf("%q has one", k)
		}
	}
}

// FuzzParse: it never panics, and what it takes is bounded, says what it is, and has a decoy that costs the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
		"$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
		"$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ",
		"$pbkdf2-sha512$i=1,l=32$AAAA$" + zeros32,
		"$firebase-scrypt$ln=14,r=8,ss=Bw,sk=" + firebaseKey + "$42xEC+ixf3L2lw$" + firebaseSum,
		"$firebase-scrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$" + firebaseSum + "==$Bw==$" + firebaseKey + "==",
		"{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "{SSHA256}" + zeros32 + "A", "{SSHA512}" + zeros32 + zeros32,
	} {
		f.Add(seed)
	}
	reasons := []error{ErrUnknown, ErrMalformed, ErrCost}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			if !slices.Contains(reasons, err) || h.matches != nil || h.text != "" {
				t.Fatalf("%q: %v with a value", s, err)
			}
			return
		}
		if h.Text() != s || len(s) > longest || h.Kind() == "" {
			t.Fatalf("%q is read as %q, a %q", s, h.Text(), h.Kind())
		}
		if decoy, ok := Decoy(h.Kind()); !ok || decoy.Kind() != h.Kind() {
			t.Fatalf("%q is a %q, which has no decoy", s, h.Kind())
		}
	})
}
