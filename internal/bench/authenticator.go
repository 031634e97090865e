package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// authenticator is a security key in software (WebAuthn Level 3): one ES256 credential, no attestation.
type authenticator struct {
	key     *ecdsa.PrivateKey
	id      []byte
	counter uint32
}

func newAuthenticator() (*authenticator, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a := &authenticator{key: key, id: make([]byte, idLength)}
	_, _ = rand.Read(a.id)
	return a, err
}

const (
	idLength = 32
	present  = 1
	attested = 64 // the authenticator data holds a new credential
)

// register makes the credential as a browser's toJSON() gives it.
func (a *authenticator) register(origin, rpID, challenge string) map[string]any {
	public, _ := a.key.PublicKey.Bytes() // 4, x, y
	credential := slices.Concat(make([]byte, 16), []byte{0, idLength}, a.id,
		[]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, public[1:33], []byte{0x22, 0x58, 32}, public[33:]) // a COSE_Key in CBOR
	data := append(a.data(rpID, present|attested), credential...)
	object := slices.Concat([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), []byte{byte(len(data))}, data) //nolint:gosec // 164
	return a.json(map[string][]byte{"clientDataJSON": clientData("webauthn.create", origin, challenge), "attestationObject": object})
}

// prove signs a challenge.
func (a *authenticator) prove(origin, rpID, challenge string) (map[string]any, error) {
	a.counter++
	client, data := clientData("webauthn.get", origin, challenge), a.data(rpID, present)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	return a.json(map[string][]byte{"clientDataJSON": client, "authenticatorData": data, "signature": sig}), err
}

func (a *authenticator) data(rpID string, flags byte) []byte {
	rp := sha256.Sum256([]byte(rpID))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.counter)
}

func (a *authenticator) json(response map[string][]byte) map[string]any {
	members := map[string]string{}
	for name, raw := range response {
		members[name] = base64.RawURLEncoding.EncodeToString(raw)
	}
	id := base64.RawURLEncoding.EncodeToString(a.id)
	return map[string]any{"id": id, "rawId": id, "type": "public-key", "response": members, "clientExtensionResults": map[string]any{}}
}

func clientData(kind, origin, challenge string) []byte {
	text, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
	return text
}
