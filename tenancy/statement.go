package tenancy

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// A statement is what a tenant's key signs that is no token: a JWS (RFC 7515 section 7.1) whose typ says what it is, with no
// issuer, audience, subject or expiry in it, so that it is no token to whoever forgets to look at the type.

type statementHeader struct {
	Algorithm string `json:"alg"`
	KID       string `json:"kid"`
	Type      string `json:"typ"`
}

// ErrOtherStatement is the refusal of what is not a statement of the type.
var ErrOtherStatement = errors.New("is not a statement of its kind")

// StatementInput is the text that is signed for a statement of a type. Whoever asks custody for the signature is listed in
// internal/arch.
func StatementInput(k ActiveKey, typ string, says any) (string, error) {
	header, err := json.Marshal(statementHeader{string(k.Algorithm), k.KID, typ})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(says)
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload), err
}

// OpenStatement reads into says what a statement of a type says, if it was signed by one of the keys, with that key's one
// algorithm. Members that are not known are refused. An error says what is wrong, as the end of a sentence.
func OpenStatement(jws, typ string, keys map[string]VerificationKey, says any) (kid string, err error) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return "", ErrOtherStatement
	}
	var raw [3][]byte
	for i, p := range parts {
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return "", ErrOtherStatement
		}
	}
	var h statementHeader
	if err := decodeStatement(raw[0], &h); err != nil || h.Type != typ { // crit is unknown, and refused as such
		return "", ErrOtherStatement
	}
	key, ok := keys[h.KID]
	if !ok {
		return h.KID, fmt.Errorf("is signed by the key %s, which is not one of the tenant's that are trusted here", h.KID)
	}
	if h.Algorithm != string(key.Algorithm) {
		return h.KID, ErrOtherStatement
	}
	if err := jwt.GetSigningMethod(h.Algorithm).Verify(parts[0]+"."+parts[1], raw[2], key.Key); err != nil {
		return h.KID, errors.New("is not signed by the key it names")
	}
	return h.KID, decodeStatement(raw[1], says)
}

// decodeStatement takes the members that are known and no others.
func decodeStatement(text []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return ErrOtherStatement
	}
	return nil
}
