package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/google/uuid"
)

// maker signs what its authenticators are.
type maker struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newMaker(tb testing.TB) maker {
	tb.Helper()
	m := maker{}
	m.key, m.cert = m.sign(tb, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Maker"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return m
}

// sign makes a certificate and its key, signed by the maker or, for the maker's own, by itself.
func (m maker) sign(tb testing.TB, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	by, with := m.cert, m.key
	if by == nil {
		by, with = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), with)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return key, c
}

func (m maker) root() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw}))
}

// attest makes of a credential one whose authenticator the maker says is of this model.
func (m maker) attest(tb testing.TB, credential json.RawMessage, model [16]byte) json.RawMessage {
	tb.Helper()
	value, err := asn1.Marshal(model[:])
	if err != nil {
		tb.Fatal(err)
	}
	key, cert := m.sign(tb, &x509.Certificate{SerialNumber: big.NewInt(2), BasicConstraintsValid: true,
		Subject:         pkix.Name{Country: []string{"SE"}, Organization: []string{"Maker"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Batch"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: value}}})
	return restate(tb, credential, func(signed []byte) (string, map[string]any) {
		digest := sha256.Sum256(signed)
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		return "packed", map[string]any{"alg": -7, "sig": sig, "x5c": [][]byte{cert.Raw}}
	})
}

// unattested makes of a credential one that says nothing of its authenticator, as browsers do where nothing was asked.
func unattested(tb testing.TB, credential json.RawMessage) json.RawMessage {
	tb.Helper()
	return restate(tb, credential, func([]byte) (string, map[string]any) { return "none", map[string]any{} })
}

// restate gives a credential another attestation statement, over the bytes that are to be signed.
func restate(tb testing.TB, credential json.RawMessage, statement func(signed []byte) (string, map[string]any)) json.RawMessage {
	tb.Helper()
	var c map[string]any
	if err := json.Unmarshal(credential, &c); err != nil {
		tb.Fatal(err)
	}
	response := c["response"].(map[string]any)
	client, _ := b64.DecodeString(response["clientDataJSON"].(string))
	raw, _ := b64.DecodeString(response["attestationObject"].(string))
	var object map[string]any
	if err := webauthncbor.Unmarshal(raw, &object); err != nil {
		tb.Fatal(err)
	}
	hash := sha256.Sum256(client)
	object["fmt"], object["attStmt"] = statement(append(object["authData"].([]byte), hash[:]...))
	raw, err := webauthncbor.Marshal(object)
	if err != nil {
		tb.Fatal(err)
	}
	response["attestationObject"] = b64.EncodeToString(raw)
	return mustJSON(tb, c)
}

// allow has the tenant take some models of some makers only.
func (tt testTenant) allow(tb testing.TB, models, roots []string) {
	tb.Helper()
	tt.settings(tb, func(s map[string]any) {
		s["mfa"].(map[string]any)["allowed_aaguids"], s["mfa"].(map[string]any)["attestation_roots"] = models, roots
	}).want(tb, 200, "")
}

func TestATenantTakesSomeModelsOnly(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	known, forger := newMaker(t), newMaker(t)
	k := tt.newAuthenticator("webauthn_fido")
	model := uuid.UUID(k.auth.Aaguid)
	token, _ := tt.signIn(t)
	conveyance := "none"
	answer := func(change func(json.RawMessage) json.RawMessage) answer {
		o := tt.post(t, "/v1/users/me/mfa/webauthn/register?method_type="+k.method, token, nil).want(t, 200, "").field("options")
		if got := o.(map[string]any)["attestation"]; got != conveyance {
			t.Errorf("asked for attestation %v, want %s", got, conveyance)
		}
		return k.finish(t, token, change(k.make(t, o)))
	}
	as := func(m maker, model uuid.UUID) func(json.RawMessage) json.RawMessage {
		return func(c json.RawMessage) json.RawMessage { return m.attest(t, c, model) }
	}
	silent := func(c json.RawMessage) json.RawMessage { return unattested(t, c) }
	itself := func(c json.RawMessage) json.RawMessage { return c }

	tt.allow(t, []string{uuid.NewString()}, []string{})
	conveyance = "direct"
	answer(itself).want(t, 400, "invalid_credential")
	answer(as(known, model)).want(t, 400, "invalid_credential")

	tt.allow(t, []string{strings.ToUpper(model.String())}, []string{})
	answer(silent).want(t, 400, "invalid_credential")
	answer(as(known, uuid.New())).want(t, 400, "invalid_credential") // the certificate is of another model

	tt.allow(t, []string{model.String()}, []string{known.root()})
	answer(silent).want(t, 400, "invalid_credential")
	answer(itself).want(t, 400, "invalid_credential")
	answer(as(forger, model)).want(t, 400, "invalid_credential")
	answer(as(known, model)).want(t, 200, "")

	// Who has a key of another make keeps it, and nobody is asked for a make where none is demanded.
	tt.allow(t, []string{uuid.NewString()}, []string{forger.root()})
	token, _ = tt.signIn(t)
	k = tt.newAuthenticator("webauthn_fido")
	answer(as(known, model)).want(t, 400, "invalid_credential")
	tt.settings(t, func(s map[string]any) {
		delete(s["mfa"].(map[string]any), "allowed_aaguids")
		delete(s["mfa"].(map[string]any), "attestation_roots")
	}).want(t, 200, "")
	conveyance = "none"
	answer(silent).want(t, 200, "")
}

func TestModelsAndMakersAreChecked(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	root := newMaker(t).root()
	for _, c := range []struct {
		member string
		value  any
	}{
		{"allowed_aaguids", []string{"yubikey"}},
		{"allowed_aaguids", []string{uuid.Nil.String()}},
		{"allowed_aaguids", []string{"urn:uuid:" + uuid.NewString()}},
		{"allowed_aaguids", make([]string, 101)},
		{"attestation_roots", []string{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}},
		{"attestation_roots", []string{root + root}},
		{"attestation_roots", []string{strings.Repeat("x", 5000)}},
		{"attestation_roots", []string{strings.ReplaceAll(root, "CERTIFICATE", "PUBLIC KEY")}},
	} {
		if list, is := c.value.([]string); is && len(list) == 101 {
			for i := range list {
				list[i] = uuid.NewString()
			}
		}
		tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)[c.member] = c.value }).wantFields(t, "mfa."+c.member)
	}
}
