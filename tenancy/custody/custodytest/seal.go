package custodytest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func testHMAC(t *testing.T, f fixture) {
	a, b := f.tenant(t, custody.ES256), f.tenant(t, custody.ES256)
	mac := func(input []byte, version int) []byte {
		m, used, err := f.HMAC(t.Context(), a, version, input)
		if err != nil || used != 1 || len(m) != 32 {
			t.Fatalf("HMAC(%q, version %d) = %x, %d, %v", input, version, m, used, err)
		}
		return m
	}
	first := mac([]byte("x"), 0)
	if !bytes.Equal(first, mac([]byte("x"), 0)) || !bytes.Equal(first, mac([]byte("x"), 1)) {
		t.Error("the mac of one input differs")
	}
	if bytes.Equal(first, mac([]byte("y"), 0)) || bytes.Equal(first, mac([]byte{}, 0)) || !bytes.Equal(mac([]byte{}, 0), mac(nil, 0)) {
		t.Error("the macs of different inputs do not differ, or those of two empty ones do")
	}
	if other, _, err := f.HMAC(t.Context(), b, 0, []byte("x")); err != nil || bytes.Equal(first, other) {
		t.Errorf("another tenant's mac: %x, %v", other, err)
	}
}

func testHMACVersions(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	old, _, err := f.HMAC(t.Context(), tenant, 0, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if version := must(f.RotateSealing(t.Context(), tenant))(t); version != 2 {
		t.Fatalf("RotateSealing = %d, want 2", version)
	}
	if version := must(f.SealingVersion(t.Context(), tenant))(t); version != 2 {
		t.Errorf("SealingVersion = %d, want 2", version)
	}
	fresh, used, err := f.HMAC(t.Context(), tenant, 0, []byte("x"))
	if err != nil || used != 2 || bytes.Equal(old, fresh) {
		t.Errorf("newest: %x, version %d, %v", fresh, used, err)
	}
	again, used, err := f.HMAC(t.Context(), tenant, 1, []byte("x"))
	if err != nil || used != 1 || !bytes.Equal(old, again) {
		t.Errorf("version 1 after a rotation: %x, version %d, %v", again, used, err)
	}
	for _, version := range []int{-1, 3, 1 << 30} {
		_, _, err := f.HMAC(t.Context(), tenant, version, []byte("x"))
		wantError(t, "HMAC with an unknown version", err, custody.ErrNoKey)
	}
	if keys := must(f.PublicKeys(t.Context(), tenant))(t); len(keys) != 1 {
		t.Errorf("rotating the sealing key changed the signing key: %+v", keys)
	}
}

func testSeal(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	for _, plaintext := range [][]byte{nil, []byte("x"), {0, 0xff, 0xfe}, bytes.Repeat([]byte("long"), 1000)} {
		for _, associated := range [][]byte{nil, []byte("user 1")} {
			sealed := must(f.Seal(t.Context(), tenant, plaintext, associated))(t)
			if got := must(f.Open(t.Context(), tenant, sealed, associated))(t); !bytes.Equal(got, plaintext) {
				t.Errorf("Open(Seal(%q)) = %q", plaintext, got)
			}
			if again := must(f.Seal(t.Context(), tenant, plaintext, associated))(t); again == sealed {
				t.Error("sealing twice gave the same text")
			}
		}
	}
}

func testSealVersions(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	sealed := must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t)
	must(f.RotateSealing(t.Context(), tenant))(t)
	fresh := must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t)
	for _, s := range []string{sealed, fresh} {
		if got := must(f.Open(t.Context(), tenant, s, nil))(t); string(got) != "x" {
			t.Errorf("Open = %q", got)
		}
	}
}

func testOpenRefuses(t *testing.T, f fixture) {
	a, b := f.tenant(t, custody.ES256), f.tenant(t, custody.ES256)
	sealed := must(f.Seal(t.Context(), a, []byte("secret"), []byte("user 1")))(t)
	open := func(name, sealed string, associated string) {
		got, err := f.Open(t.Context(), a, sealed, []byte(associated))
		wantError(t, name, err, custody.ErrTampered)
		if len(got) != 0 {
			t.Errorf("%s: plaintext %q beside the error", name, got)
		}
	}
	open("other associated data", sealed, "user 2")
	open("no associated data", sealed, "")
	if _, err := f.Open(t.Context(), b, sealed, []byte("user 1")); true {
		wantError(t, "other tenant", err, custody.ErrTampered)
	}
	open("empty", "", "user 1")
	open("not ours", "hello", "user 1")
	open("cut short", sealed[:len(sealed)-8], "user 1")
	open("unknown version", strings.Replace(sealed, ":v1:", ":v9:", 1), "user 1")
	open("version 0", strings.Replace(sealed, ":v1:", ":v0:", 1), "user 1")
	at := len(sealed) - 10
	flipped := byte('A')
	if sealed[at] == flipped {
		flipped = 'B'
	}
	open("a bit flipped", sealed[:at]+string(flipped)+sealed[at+1:], "user 1")
}
