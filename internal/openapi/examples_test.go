package openapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The examples tell one story, and it is true: the token of the login verifies with the keys and the issuer shown, by a
// library that is not ours.
func TestExampleTokenVerifies(t *testing.T) {
	t.Parallel()
	var keys jose.JSONWebKeySet
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	var grant struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
		Tenant  string    `json:"tenant_id"`
	}
	example(t, "/.well-known/jwks.json", "GET", &keys)
	example(t, "/.well-known/openid-configuration", "GET", &metadata)
	example(t, "/v1/auth/login", "POST", &grant)

	token, err := jwt.ParseSigned(grant.Token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var standard jwt.Claims
	var ours struct {
		Tenant string `json:"tenant_id"`
	}
	if err := token.Claims(&keys, &standard, &ours); err != nil {
		t.Fatal(err)
	}
	expected := jwt.Expected{Issuer: metadata.Issuer, AnyAudience: jwt.Audience{metadata.Issuer}, Time: grant.Expires.Add(-time.Second)}
	if err := standard.ValidateWithLeeway(expected, 0); err != nil {
		t.Error(err)
	}
	if !standard.Expiry.Time().Equal(grant.Expires) || ours.Tenant != grant.Tenant {
		t.Errorf("the answer says %s and %s, its token %s and %s", grant.Expires, grant.Tenant, standard.Expiry.Time(), ours.Tenant)
	}
}

// example reads the example of an operation's 200 into v.
func example(t *testing.T, path, method string, v any) {
	t.Helper()
	media := load(t, JSON()).Paths.Value(path).GetOperation(method).Responses.Status(200).Value.Content.Get("application/json")
	text, err := json.Marshal(media.Example)
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(text)).Decode(v)
	}
	if err != nil || strings.TrimSpace(string(text)) == "null" {
		t.Fatalf("%s %s has no example to read: %v", method, path, err)
	}
}
