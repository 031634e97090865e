package mfa

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// vector is a registration and an assertion from WebAuthn Level 3, section 16 (Test Vectors), with the id example.org and
// the origin https://example.org. https://www.w3.org/TR/webauthn-3/#sctn-test-vectors
type vector struct {
	name                                                              string
	credentialID, challenge, clientData, attestation                  string
	assertionChallenge, assertionClientData, assertionData, signature string
	amr                                                               []string
}

var vectors = []vector{{
	name:                "16.2 none attestation, ES256",
	credentialID:        "f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4",
	challenge:           "00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130",
	clientData:          "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d",
	attestation:         "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220",
	assertionChallenge:  "39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408",
	assertionClientData: "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a5558543049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
	assertionData:       "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
	signature:           "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87",
	amr:                 []string{"swk", "mfa"},
}, {
	name:                "16.3 self attestation, ES256",
	credentialID:        "455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c",
	challenge:           "7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5",
	clientData:          "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d",
	attestation:         "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2",
	assertionChallenge:  "4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b",
	assertionClientData: "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d45314f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d",
	assertionData:       "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000",
	signature:           "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66",
	amr:                 []string{"swk", "mfa"},
}}

var example = relyingParty{id: "example.org", name: "Example", hosts: []string{"example.org"}, origins: []string{"https://example.org"}}

// member writes bytes given in hex as a browser's toJSON() does.
func member(tb testing.TB, text string) string {
	tb.Helper()
	return base64.RawURLEncoding.EncodeToString(fromHex(tb, text))
}

func fromHex(tb testing.TB, text string) []byte {
	tb.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func (v vector) created(tb testing.TB) []byte {
	tb.Helper()
	cid := member(tb, v.credentialID)
	return credentialJSON(tb, cid, map[string]string{"clientDataJSON": member(tb, v.clientData), "attestationObject": member(tb, v.attestation)})
}

func (v vector) proved(tb testing.TB) []byte {
	tb.Helper()
	cid := member(tb, v.credentialID)
	return credentialJSON(tb, cid, map[string]string{"clientDataJSON": member(tb, v.assertionClientData),
		"authenticatorData": member(tb, v.assertionData), "signature": member(tb, v.signature)})
}

func credentialJSON(tb testing.TB, cid string, response map[string]string) []byte {
	tb.Helper()
	text, err := json.Marshal(map[string]any{"id": cid, "rawId": cid, "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestVectorsOfTheSpecification(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			u := id.NewUser()
			asked := ceremony{Challenge: fromHex(t, v.challenge), RPID: "example.org", Method: Security}
			made, _, err := example.attested(asked, u, v.created(t))
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(made.ID) != v.credentialID {
				t.Errorf("credential id %x", made.ID)
			}
			answer, err := parseAssertion(v.proved(t))
			if err != nil {
				t.Fatal(err)
			}
			asked = ceremony{Challenge: fromHex(t, v.assertionChallenge), RPID: "example.org"}
			k := credential{factor: id.NewFactor(), method: Security, rpID: "example.org", record: made}
			_, amr, err := example.asserted(asked, u, k, answer)
			if err != nil {
				t.Fatal(err)
			}
			if len(amr) != len(v.amr) || amr[0] != v.amr[0] {
				t.Errorf("amr %v, want %v", amr, v.amr)
			}
			k.method = Passkey
			if _, _, err := example.asserted(asked, u, k, answer); !refused(err) {
				t.Errorf("a passkey that did not verify its user: %v", err)
			}
			k.rpID = "example.com"
			if _, _, err := example.asserted(asked, u, k, answer); !refused(err) {
				t.Errorf("a key of another relying party: %v", err)
			}
		})
	}
}

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
		{"EC2 off the curve", fromHex(t, "a5010203262001215820"+zeros(63)+"1"+"225820"+zeros(63)+"1"), false},
	} {
		if err := boundedKey(c.key); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

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

// Whatever is sent, the answer is a refusal and not a fault of ours; and what is accepted is what was asked for.
func FuzzAssertion(f *testing.F) {
	u := id.NewUser()
	made := make([]record, len(vectors))
	for i, v := range vectors {
		f.Add(v.proved(f))
		var err error
		if made[i], _, err = example.attested(ceremony{Challenge: fromHex(f, v.challenge), RPID: "example.org", Method: Security}, u, v.created(f)); err != nil {
			f.Fatal(err)
		}
	}
	asked := fromHex(f, vectors[0].assertionChallenge)
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := parseAssertion(raw)
		if err != nil {
			if !refused(err) {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		k := credential{factor: id.NewFactor(), method: Security, rpID: "example.org", record: made[0]}
		_, _, err = example.asserted(ceremony{Challenge: asked, RPID: "example.org"}, u, k, answer)
		if err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && answer.Response.CollectedClientData.Origin != "https://example.org" {
			t.Fatal("accepted from elsewhere")
		}
	})
}

func FuzzAttestation(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.created(f))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		asked := ceremony{Challenge: fromHex(t, vectors[0].challenge), RPID: "example.org", Method: Security}
		r, _, err := example.attested(asked, id.User{1}, raw)
		if err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && (len(r.ID) == 0 || len(r.ID) > maxCredentialID || boundedKey(r.PublicKey) != nil) {
			t.Fatalf("accepted %+v", r)
		}
	})
}

// The attestation object is where the binary parsing is; the fuzzer reaches it better without base64 around it.
func FuzzAttestationObject(f *testing.F) {
	for _, v := range vectors {
		f.Add(fromHex(f, v.attestation))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		v := vectors[0]
		raw := credentialJSON(t, member(t, v.credentialID), map[string]string{"clientDataJSON": member(t, v.clientData),
			"attestationObject": base64.RawURLEncoding.EncodeToString(object)})
		asked := ceremony{Challenge: fromHex(t, v.challenge), RPID: "example.org", Method: Security}
		if _, _, err := example.attested(asked, id.User{1}, raw); err != nil && !refused(err) {
			t.Fatalf("not a refusal: %v", err)
		}
	})
}
