package mfa

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// vector is a registration and an assertion from WebAuthn Level 3, section 16 (Test Vectors), with the id example.org and
// the origin https://example.org. https://www.w3.org/TR/webauthn-3/#sctn-test-vectors
type vector struct {
	Section      string    `json:"section"`
	CredentialID hexString `json:"credential_id"`
	Create       struct {
		Challenge   hexString `json:"challenge"`
		ClientData  hexString `json:"client_data"`
		Attestation hexString `json:"attestation"`
	} `json:"create"`
	Get struct {
		Challenge         hexString `json:"challenge"`
		ClientData        hexString `json:"client_data"`
		AuthenticatorData hexString `json:"authenticator_data"`
		Signature         hexString `json:"signature"`
	} `json:"get"`
}

type hexString []byte

func (h *hexString) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vectors are those of the section, and root is the certificate that their attestations descend from, in PEM.
func vectors(tb testing.TB) (all []vector, root string) {
	tb.Helper()
	text, err := os.ReadFile("testdata/webauthn-3-section-16.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Root    hexString `json:"root"`
		Vectors []vector  `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		tb.Fatal(err)
	}
	return file.Vectors, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: file.Root}))
}

func vectorOf(tb testing.TB, section string) vector {
	tb.Helper()
	all, _ := vectors(tb)
	i := slices.IndexFunc(all, func(v vector) bool { return v.Section == section })
	if i < 0 {
		tb.Fatalf("no vector of section %s", section)
	}
	return all[i]
}

func (v vector) created(tb testing.TB) []byte {
	tb.Helper()
	return credentialJSON(tb, v.CredentialID, map[string][]byte{"clientDataJSON": v.Create.ClientData, "attestationObject": v.Create.Attestation})
}

func (v vector) proved(tb testing.TB) []byte {
	tb.Helper()
	return credentialJSON(tb, v.CredentialID, map[string][]byte{"clientDataJSON": v.Get.ClientData,
		"authenticatorData": v.Get.AuthenticatorData, "signature": v.Get.Signature})
}

// asked are the ceremonies that a vector answers.
func (v vector) asked() (registration, assertion ceremony) {
	return ceremony{Challenge: v.Create.Challenge, RPID: "example.org", Method: Security}, ceremony{Challenge: v.Get.Challenge, RPID: "example.org"}
}

// credentialJSON is a credential as a browser's toJSON() writes it.
func credentialJSON(tb testing.TB, credentialID []byte, response map[string][]byte) []byte {
	tb.Helper()
	members := map[string]string{}
	for name, raw := range response {
		members[name] = base64.RawURLEncoding.EncodeToString(raw)
	}
	cid := base64.RawURLEncoding.EncodeToString(credentialID)
	text, err := json.Marshal(map[string]any{"id": cid, "rawId": cid, "type": "public-key", "response": members, "clientExtensionResults": map[string]any{}})
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

var example = relyingParty{id: "example.org", name: "Example", hosts: []string{"example.org"}, origins: []string{"https://example.org"},
	now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}

// of is the relying party where only some authenticators may be registered.
func (p relyingParty) of(a settings.Authenticators) relyingParty {
	p.authenticators = a
	return p
}

// outside are the vectors that we refuse, and why: what they show is not offered here.
var outside = map[string]reason{
	"16.4": reasonUnverified, // inside a frame of another site
	"16.5": reasonUnverified, // below another site
	"16.8": reasonUnverified, // ES384: not among the algorithms asked for
	"16.9": reasonUnverified, // ES512

	"16.13": reasonUnverified, // by a TPM of a maker that is none
	"16.14": reasonUnverified, // by an Android that is none of Google's
	"16.15": reasonUnverified, // by an iPhone that is none of Apple's
}

func TestVectorsOfTheSpecification(t *testing.T) {
	all, _ := vectors(t)
	for _, v := range all {
		t.Run(v.Section, func(t *testing.T) {
			u := id.NewUser()
			registration, assertion := v.asked()
			made, _, err := example.attested(registration, u, v.created(t))
			if why, is := outside[v.Section]; is {
				wantRefusal(t, err, why)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(made.ID) != string(v.CredentialID) {
				t.Errorf("credential id %x", made.ID)
			}
			answer, err := parseAssertion(v.proved(t))
			if err != nil {
				t.Fatal(err)
			}
			k := credential{factor: id.NewFactor(), method: Security, rpID: "example.org", record: made}
			_, amr, err := example.asserted(assertion, u, k, answer)
			if err != nil {
				t.Fatal(err)
			}
			kind, verified := "hwk", answer.Response.AuthenticatorData.Flags.HasUserVerified()
			if made.BackupEligible {
				kind = "swk"
			}
			if amr[0] != kind || slices.Contains(amr, "user") != verified || !slices.Contains(amr, "mfa") {
				t.Errorf("amr %v of a %s, verified %v", amr, kind, verified)
			}
			k.method = Passkey
			if _, _, err := example.asserted(assertion, u, k, answer); (err == nil) != verified {
				t.Errorf("as a passkey, with its user verified %v: %v", verified, err)
			}
			k.rpID = "example.com"
			_, _, err = example.asserted(assertion, u, k, answer)
			wantRefusal(t, err, reasonRelyingParty)
		})
	}
}

func wantRefusal(tb testing.TB, err error, why reason) {
	tb.Helper()
	r, is := err.(*refusal)
	if !is || r.reason != why {
		tb.Errorf("got %v, want a refusal: %s", err, why)
	}
}

// The attestations of the specification, at a tenant that wants to know whom an authenticator is from.
func TestATenantAdmitsItsModelsAlone(t *testing.T) {
	all, root := vectors(t)
	stranger := strangersRoot(t)
	for _, v := range all {
		if _, is := outside[v.Section]; is {
			continue
		}
		t.Run(v.Section, func(t *testing.T) {
			registration, _ := v.asked()
			parsed, err := parseAttestation(v.created(t))
			if err != nil {
				t.Fatal(err)
			}
			object := parsed.Response.AttestationObject
			model, err := uuid.FromBytes(object.AuthData.AttData.AAGUID)
			if err != nil {
				t.Fatal(err)
			}
			_, certified := object.AttStatement["x5c"]
			for _, c := range []struct {
				name string
				settings.Authenticators
				admitted bool
				why      reason
			}{
				{"its model", settings.Authenticators{AllowedAAGUIDs: []string{model.String()}}, object.Format != "none", reasonUnattested},
				{"another model", settings.Authenticators{AllowedAAGUIDs: []string{uuid.NewString()}}, false, map[bool]reason{true: reasonUnattested, false: reasonModel}[object.Format == "none"]},
				{"its maker", settings.Authenticators{AttestationRoots: []string{root}}, certified, reasonUnattested},
				{"its model and maker", settings.Authenticators{AllowedAAGUIDs: []string{model.String()}, AttestationRoots: []string{root}}, certified, reasonUnattested},
				{"its model of another maker", settings.Authenticators{AllowedAAGUIDs: []string{model.String()}, AttestationRoots: []string{stranger}}, false, reasonUnattested},
			} {
				_, _, err := example.of(c.Authenticators).attested(registration, id.NewUser(), v.created(t))
				switch {
				case c.admitted && err != nil:
					t.Errorf("where %s is wanted: %v", c.name, err)
				case !c.admitted:
					wantRefusal(t, err, c.why)
				}
			}
		})
	}
}

// strangersRoot is a certificate that has signed nothing here.
func strangersRoot(tb testing.TB) string {
	tb.Helper()
	_, root := vectors(tb)
	block, _ := pem.Decode([]byte(root))
	theirs, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return selfSigned(tb, *theirs)
}

// selfSigned is a certificate that says the same and is somebody else's.
func selfSigned(tb testing.TB, template x509.Certificate) string {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template.PublicKey, template.PublicKeyAlgorithm, template.SignatureAlgorithm = nil, 0, 0
	raw, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}
