package password

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const (
	salt16 = "AAECAwQFBgcICQoLDA0ODw"                      // 00 01 .. 0f
	sum32  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" // 00 01 .. 1f
)

func TestParsePHC(t *testing.T) {
	p, err := ParsePHC("$argon2id$v=19$m=19456,t=2,p=1,keyid=MTI$" + salt16 + "$" + sum32)
	if err != nil || p.Params != DefaultParams || p.KeyID != 12 || len(p.Salt) != 16 || p.Salt[15] != 15 || len(p.Sum) != 32 || p.Sum[31] != 31 {
		t.Errorf("%v, %v, key %d, salt %x, sum %x", err, p.Params, p.KeyID, p.Salt, p.Sum)
	}
}

func TestPHCGrammar(t *testing.T) {
	tail := "$" + salt16 + "$" + sum32
	long := strings.Repeat("A", 86) // 64 bytes
	for _, c := range []struct {
		name, s string
		want    bool
	}{
		{"default", "$argon2id$v=19$m=19456,t=2,p=1" + tail, true},
		{"peppered", "$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ" + tail, true},
		{"greatest key version", "$argon2id$v=19$m=19456,t=2,p=1,keyid=OTk5OTk5OTk" + tail, true},
		{"least", "$argon2id$v=19$m=4096,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", true},
		{"longest fields", "$argon2id$v=19$m=19456,t=2,p=1$" + long + "$" + long, true},
		{"most memory", "$argon2id$v=19$m=262144,t=3,p=1" + tail, true},
		{"most passes", "$argon2id$v=19$m=65536,t=10,p=8" + tail, true},

		{"empty", "", false},
		{"other algorithm", "$argon2i$v=19$m=19456,t=2,p=1" + tail, false},
		{"other version", "$argon2id$v=16$m=19456,t=2,p=1" + tail, false},
		{"no version", "$argon2id$m=19456,t=2,p=1" + tail, false},
		{"no dollar before", "argon2id$v=19$m=19456,t=2,p=1" + tail, false},
		{"space before", " $argon2id$v=19$m=19456,t=2,p=1" + tail, false},
		{"line feed after", "$argon2id$v=19$m=19456,t=2,p=1" + tail + "\n", false},
		{"other order", "$argon2id$v=19$t=2,m=19456,p=1" + tail, false},
		{"parameter missing", "$argon2id$v=19$m=19456,t=2" + tail, false},
		{"parameter twice", "$argon2id$v=19$m=19456,m=19456,t=2,p=1" + tail, false},
		{"unknown parameter", "$argon2id$v=19$m=19456,t=2,p=1,x=1" + tail, false},
		{"data parameter", "$argon2id$v=19$m=19456,t=2,p=1,data=AAAA" + tail, false},
		{"leading zero", "$argon2id$v=19$m=019456,t=2,p=1" + tail, false},
		{"sign", "$argon2id$v=19$m=+19456,t=2,p=1" + tail, false},
		{"too little memory", "$argon2id$v=19$m=4095,t=2,p=1" + tail, false},
		{"too much memory", "$argon2id$v=19$m=262145,t=2,p=1" + tail, false},
		{"memory past 32 bits", "$argon2id$v=19$m=4294986752,t=2,p=1" + tail, false},
		{"too many passes", "$argon2id$v=19$m=19456,t=11,p=1" + tail, false},
		{"too much in all", "$argon2id$v=19$m=262144,t=4,p=1" + tail, false},
		{"no passes", "$argon2id$v=19$m=19456,t=0,p=1" + tail, false},
		{"too many lanes", "$argon2id$v=19$m=19456,t=2,p=9" + tail, false},
		{"no lanes", "$argon2id$v=19$m=19456,t=2,p=0" + tail, false},
		{"key version 0", "$argon2id$v=19$m=19456,t=2,p=1,keyid=MA" + tail, false},
		{"key version 01", "$argon2id$v=19$m=19456,t=2,p=1,keyid=MDE" + tail, false},
		{"key version +1", "$argon2id$v=19$m=19456,t=2,p=1,keyid=KzE" + tail, false},
		{"key version not a number", "$argon2id$v=19$m=19456,t=2,p=1,keyid=YWI" + tail, false},
		{"key version of nine digits", "$argon2id$v=19$m=19456,t=2,p=1,keyid=MTAwMDAwMDAw" + tail, false},
		{"key version with loose bits", "$argon2id$v=19$m=19456,t=2,p=1,keyid=MR" + tail, false},
		{"empty key version", "$argon2id$v=19$m=19456,t=2,p=1,keyid=" + tail, false},
		{"short salt", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAA$" + sum32, false},
		{"long salt", "$argon2id$v=19$m=19456,t=2,p=1$" + long + "A$" + sum32, false},
		{"short sum", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$AAAAAAAAAAAAAAAAAAAA", false},
		{"long sum", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + long + "A", false},
		{"no sum", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16, false},
		{"field more", "$argon2id$v=19$m=19456,t=2,p=1" + tail + "$", false},
		{"loose bits in the salt", "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODx$" + sum32, false},
		{"loose bits in the sum", "$argon2id$v=19$m=19456,t=2,p=1" + tail[:len(tail)-1] + "9", false},
		{"padding", "$argon2id$v=19$m=19456,t=2,p=1" + tail + "=", false},
		{"base64 for URLs", "$argon2id$v=19$m=19456,t=2,p=1$____________________AA$" + sum32, false},
		{"line feed in the sum", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$AAECAwQFBgcICQoLDA0O\nDxAREhMUFRYXGBkaGxwdHh8", false},
		{"NUL", "$argon2id$v=19$m=19456,t=2,p=1" + tail + "\x00", false},
	} {
		p, err := ParsePHC(c.s)
		if (err == nil) != c.want || err != nil && !errors.Is(err, ErrMalformedHash) {
			t.Errorf("%s: %v, want accepted %v", c.name, err, c.want)
		}
		if err == nil && string(p.Hash()) != c.s {
			t.Errorf("%s: written back as %s", c.name, string(p.Hash()))
		}
	}
}

// FuzzParsePHC: it never panics, what it accepts is within bounds and written back the same.
func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1,keyid=MTI$" + salt16 + "$" + sum32)
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePHC(s)
		if err != nil {
			if !errors.Is(err, ErrMalformedHash) || p.Salt != nil || p.Sum != nil {
				t.Fatalf("%q: %v with a value", s, err)
			}
			return
		}
		if string(p.Hash()) != s {
			t.Fatalf("%q is written back as %q", s, string(p.Hash()))
		}
		if p.Params.check() != nil || len(p.Salt) < 8 || len(p.Salt) > 64 || len(p.Sum) < 16 || len(p.Sum) > 64 || p.KeyID < 0 || p.KeyID > maxKeyID {
			t.Fatalf("%q is out of bounds", s)
		}
	})
}

// FuzzPHC: whatever this package writes, it reads back.
func FuzzPHC(f *testing.F) {
	f.Add(uint32(19456), uint32(2), uint8(1), 1, []byte("0123456789abcdef"), []byte("0123456789abcdef0123456789abcdef"))
	f.Fuzz(func(t *testing.T, m, passes uint32, lanes uint8, key int, salt, sum []byte) {
		p := PHC{Params{m, passes, lanes}, key, salt, sum}
		if p.Params.check() != nil || key < 0 || key > maxKeyID || len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
			return
		}
		q, err := ParsePHC(string(p.Hash()))
		if err != nil || q.Params != p.Params || q.KeyID != key || !bytes.Equal(q.Salt, salt) || !bytes.Equal(q.Sum, sum) {
			t.Fatalf("%s is read as %v %d, %v", string(p.Hash()), q.Params, q.KeyID, err)
		}
	})
}
