package mfa

import (
	"encoding/hex"
	"testing"
	"time"
)

// A credential whose key is chosen to keep us busy is refused before the key is used.
func TestKeysHaveBounds(t *testing.T) {
	rsa := func(bits int, exponent ...byte) []byte {
		n := make([]byte, bits/8)
		for i := range n {
			n[i] = 0xff
		}
		key := []byte{0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59, byte(len(n) >> 8), byte(len(n))}
		key = append(append(key, n...), 0x21, 0x40|byte(len(exponent)))
		return append(key, exponent...)
	}
	for _, c := range []struct {
		name string
		key  []byte
		ok   bool
	}{
		{"RSA of 2048 bits", rsa(2048, 1, 0, 1), true},
		{"RSA of 4096 bits", rsa(4096, 1, 0, 1), true},
		{"RSA of 1024 bits", rsa(1024, 1, 0, 1), false},
		{"RSA of 32768 bits", rsa(32768, 1, 0, 1), false},
		{"RSA with the exponent 1", rsa(2048, 1), false},
		{"RSA with an even exponent", rsa(2048, 4), false},
		{"RSA with a huge exponent", rsa(2048, 0xff, 0xff, 0xff, 0xff), false},
		{"nothing", nil, false},
		{"EC2 off the curve", fromHex("a5010203262001215820" + zeros(63) + "1" + "225820" + zeros(63) + "1"), false},
	} {
		if err := boundedKey(c.key); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func fromHex(text string) []byte { raw, _ := hex.DecodeString(text); return raw }

func zeros(n int) string {
	s := make([]byte, n)
	for i := range s {
		s[i] = '0'
	}
	return string(s)
}

func TestAPasskeyChallengeIsSealed(t *testing.T) {
	expires := time.Unix(1_700_000_000, 0)
	const challengeID = "3f9d3a54-0b0a-4f4e-9a52-3b9c6d1f0e11"
	of := func(key, challengeID, rpID string, expires time.Time) string {
		c := passkeyCeremony([]byte(key), challengeID, rpID, expires)
		if len(c.Challenge) != 32 {
			t.Errorf("%d bytes", len(c.Challenge))
		}
		return string(c.Challenge)
	}
	first := of("key", challengeID, "acme.example", expires)
	if again := of("key", challengeID, "acme.example", expires); again != first {
		t.Error("not the same when made again")
	}
	for name, other := range map[string]string{
		"another key":           of("yek", challengeID, "acme.example", expires),
		"another id":            of("key", "4f9d3a54-0b0a-4f4e-9a52-3b9c6d1f0e11", "acme.example", expires),
		"another relying party": of("key", challengeID, "globex.example", expires),
		"another expiry":        of("key", challengeID, "acme.example", expires.Add(time.Second)),
	} {
		if other[8:] == first[8:] {
			t.Errorf("%s: the same seal", name)
		}
	}
}
