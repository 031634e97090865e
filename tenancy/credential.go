package tenancy

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// KeyPrefix begins every API key, so that secret scanners recognise one.
const KeyPrefix = "ghk_"

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// FormatSecret is the text of an opaque credential: what kind it is, the tenant it belongs to and the secret. The tenant
// is in it because on the shared host a credential may be the only thing that says whose a request is.
func FormatSecret(prefix string, t id.Tenant, secret []byte) string {
	return prefix + secretEncoding.EncodeToString(t[:]) + "_" + base64.RawURLEncoding.EncodeToString(secret)
}

// ParseSecret is the secret of what FormatSecret made. It takes one spelling and no other: decoders skip line feeds and
// ignore spare bits, and a credential with two spellings would be two to whoever compares texts.
func ParseSecret(prefix string, t id.Tenant, text string) (secret []byte, ok bool) {
	rest, ok := strings.CutPrefix(text, FormatSecret(prefix, t, nil))
	if !ok || len(rest) > maxSecret {
		return nil, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(secret)) != len(rest) {
		return nil, false
	}
	return secret, true
}

// maxSecret bounds the text of a secret that is worth decoding.
const maxSecret = 256

// claimedByKey is the tenant that an API key says it belongs to.
func claimedByKey(key string) Claimed { return claimedBy(KeyPrefix, key) }

// claimedBy is the tenant that an opaque credential of one kind says it belongs to.
func claimedBy(prefix, text string) Claimed {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return Claimed{}
	}
	name, _, ok := strings.Cut(rest, "_")
	if !ok || len(name) != secretEncoding.EncodedLen(len(id.Tenant{})) {
		return Claimed{}
	}
	var t id.Tenant
	// Encoded again it must be the same: the decoder skips line feeds and ignores spare bits.
	if _, err := secretEncoding.Decode(t[:], []byte(name)); err != nil || secretEncoding.EncodeToString(t[:]) != name {
		return Claimed{}
	}
	return Claimed{Tenant: t, OK: true}
}

// claimedByToken is the tenant_id claim of a JWT whose signature nobody has checked yet.
func claimedByToken(token string) Claimed {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, ok := strings.Cut(rest, ".")
	if !ok {
		return Claimed{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return Claimed{}
	}
	var claims struct {
		Tenant string `json:"tenant_id"`
	}
	if json.Unmarshal(raw, &claims) != nil {
		return Claimed{}
	}
	t, err := id.ParseTenant(claims.Tenant)
	return Claimed{Tenant: t, OK: err == nil}
}
