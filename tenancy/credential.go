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

// claimedByKey is the tenant that an API key says it belongs to.
func claimedByKey(key string) Claimed {
	rest, ok := strings.CutPrefix(key, KeyPrefix)
	if !ok {
		return Claimed{}
	}
	text, _, ok := strings.Cut(rest, "_")
	if !ok || len(text) != secretEncoding.EncodedLen(len(id.Tenant{})) {
		return Claimed{}
	}
	var t id.Tenant
	// Encoded again it must be the same: the decoder skips line feeds and ignores spare bits.
	if _, err := secretEncoding.Decode(t[:], []byte(text)); err != nil || secretEncoding.EncodeToString(t[:]) != text {
		return Claimed{}
	}
	return Claimed{t, true}
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
	return Claimed{t, err == nil}
}
