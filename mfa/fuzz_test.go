package mfa

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Whatever is sent, the answer is a refusal and not a fault of ours; and what is accepted is what was asked for.
func FuzzAssertion(f *testing.F) {
	u, v := id.NewUser(), vectorOf(f, "16.2")
	registration, assertion := v.asked()
	made, _, err := example.attested(registration, u, v.created(f))
	if err != nil {
		f.Fatal(err)
	}
	all, _ := vectors(f)
	for _, v := range all {
		f.Add(v.proved(f))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := parseAssertion(raw)
		if err != nil {
			if !refused(err) {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		k := credential{factor: id.NewFactor(), method: Security, rpID: "example.org", record: made}
		_, _, err = example.asserted(assertion, u, k, answer)
		if err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && answer.Response.CollectedClientData.Origin != "https://example.org" {
			t.Fatal("accepted from elsewhere")
		}
	})
}

func FuzzAttestation(f *testing.F) {
	all, _ := vectors(f)
	for _, v := range all {
		f.Add(v.created(f))
	}
	registration, _ := vectorOf(f, "16.2").asked()
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, _, err := example.attested(registration, id.User{1}, raw)
		if err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && (len(r.ID) == 0 || len(r.ID) > maxCredentialID || boundedKey(r.PublicKey) != nil) {
			t.Fatalf("accepted %+v", r)
		}
	})
}

// The attestation object is where the binary parsing is; the fuzzer reaches it better without base64 around it. At a
// tenant with a root of its own nothing without a certificate gets in.
func FuzzAttestationObject(f *testing.F) {
	all, root := vectors(f)
	for _, v := range all {
		f.Add(v.Section == "16.7", []byte(v.Create.Attestation))
	}
	plain, certified := vectorOf(f, "16.2"), vectorOf(f, "16.7")
	strict := example.of(settings.Authenticators{AttestationRoots: []string{root}})
	f.Fuzz(func(t *testing.T, demanded bool, object []byte) {
		v, rp := plain, example
		if demanded {
			v, rp = certified, strict
		}
		raw := credentialJSON(t, v.CredentialID, map[string][]byte{"clientDataJSON": v.Create.ClientData, "attestationObject": object})
		registration, _ := v.asked()
		_, _, err := rp.attested(registration, id.User{1}, raw)
		if err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && demanded && !bytes.Contains(object, []byte("x5c")) {
			t.Fatal("admitted without a certificate")
		}
	})
}

// The challenge of a passkey says itself that it is ours.
func FuzzPasskeyChallenge(f *testing.F) {
	const ours = "3f9d3a54-0b0a-4f4e-9a52-3b9c6d1f0e11"
	now := example.now
	d := &Desk{Factors: &Factors{Options: Options{Now: func() time.Time { return now }}}}
	key := []byte("a key of the tenant's")
	good := base64.RawURLEncoding.EncodeToString(passkeyCeremony(key, ours, example.id, now.Add(challengeLife)).Challenge)
	f.Add(ours, good)
	f.Add(ours, good[:42]+"_")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, challengeID, signed string) {
		_, _, err := d.passkeyAsked(key, example, challengeID, signed)
		if err == nil && (challengeID != ours || signed != good) {
			t.Fatalf("took %q for %q", signed, challengeID)
		}
	})
}

// A code is good for a step at most one away, and only as six digits.
func FuzzMatchStep(f *testing.F) {
	f.Add("JBSWY3DPEHPK3PXP", "000000", int64(59))
	f.Fuzz(func(t *testing.T, secret, code string, unix int64) {
		if unix < 60 || unix > 1<<40 {
			return
		}
		step := matchStep(secret, code, time.Unix(unix, 0))
		if step == 0 {
			return
		}
		if current := unix / totpPeriod; step < current-1 || step > current+1 || len(code) != 6 {
			t.Fatalf("%q is good for step %d at %d", code, step, unix)
		}
	})
}
