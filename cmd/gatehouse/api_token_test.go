package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

var algorithms = []custody.Algorithm{custody.ES256, custody.EdDSA, custody.RS256}

// newTenantSigning makes a tenant whose tokens are signed with the algorithm. The API has no word for it yet.
func (tp *testPlatform) newTenantSigning(tb testing.TB, a custody.Algorithm) testTenant {
	tb.Helper()
	slug := "t" + strings.ToLower(rand.Text()[:12])
	made, err := tp.provision.Create(tb.Context(), tenancy.Tenant{Slug: tenancy.Slug(slug), Name: "Test", Locale: "en", SigningAlgorithm: a})
	if err != nil {
		tb.Fatal(err)
	}
	return testTenant{tp, made.Tenant.ID.String(), slug, slug + ".localhost", made.AdminKey}
}

// client is an HTTP client for which every host name is this server, as DNS would make it.
func (tp *testPlatform) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, tp.address)
	}}}
}

func (tt testTenant) issuer() string { return "http://" + tt.host + ":" + port(tt.testPlatform) }

// jwks is the tenant's one published key, as the public sees it.
func (tt testTenant) jwks(tb testing.TB) map[string]any {
	tb.Helper()
	a := tt.at(tb, "GET", "/.well-known/jwks.json", request{}).want(tb, 200, "").wantMembers(tb, "", "keys")
	keys, _ := a.field("keys").([]any)
	if len(keys) != 1 {
		tb.Fatalf("a new tenant publishes %d keys: %s", len(keys), a.body)
	}
	return keys[0].(map[string]any)
}

// thumbprint is RFC 7638 section 3 done by hand: the required members, in order, without white space.
func thumbprint(tb testing.TB, k map[string]any) string {
	tb.Helper()
	var text string
	switch k["kty"] {
	case "EC":
		text = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, k["crv"], k["x"], k["y"])
	case "OKP":
		text = fmt.Sprintf(`{"crv":"%s","kty":"OKP","x":"%s"}`, k["crv"], k["x"])
	case "RSA":
		text = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, k["e"], k["n"])
	default:
		tb.Fatalf("a key of type %v", k["kty"])
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestTheAccessTokenIsExactlyTheContracts(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tt := tp.newTenantSigning(t, alg)
			email, userID := tt.newUser(t, "user", "admin")
			before := time.Now().Unix()
			token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
			after := time.Now().Unix()

			header, key := segment(t, token, 0), tt.jwks(t)
			if want := map[string]any{"alg": string(alg), "typ": "at+jwt", "kid": thumbprint(t, key)}; !maps.Equal(header, want) {
				t.Errorf("header %v, want %v", header, want)
			}
			if key["kid"] != header["kid"] || key["alg"] != string(alg) || key["use"] != "sig" {
				t.Errorf("published key %v", key)
			}
			for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				if _, there := key[secret]; there {
					t.Fatalf("the published key holds the private member %s", secret)
				}
			}

			c := claimsOf(t, token)
			session := c["sid"]
			if audience, ok := c["aud"].([]any); ok && len(audience) == 1 {
				c["aud"] = audience[0]
			}
			for claim, want := range map[string]any{
				"iss": tt.issuer(), "sub": userID, "aud": tt.issuer(), "tenant_id": tt.id, "tenant_slug": tt.slug, "email": email,
				"email_verified": true, "name": "Somebody", "acr": "aal1",
			} {
				if c[claim] != want {
					t.Errorf("%s is %v, want %v", claim, c[claim], want)
				}
			}
			if fmt.Sprint(c["amr"]) != "[pwd]" || fmt.Sprint(c["roles"]) != "[admin user]" {
				t.Errorf("amr %v, roles %v", c["amr"], c["roles"])
			}
			for _, claim := range []string{"iat", "nbf", "exp", "auth_time"} {
				if f, ok := c[claim].(float64); !ok || f != math.Trunc(f) {
					t.Errorf("%s is not a whole number: %v", claim, c[claim])
				}
			}
			iat := int64(c["iat"].(float64))
			if iat < before || iat > after || c["nbf"] != c["iat"] || int64(c["exp"].(float64))-iat != 600 {
				t.Errorf("iat %v, nbf %v, exp %v at %d..%d", c["iat"], c["nbf"], c["exp"], before, after)
			}
			if at := int64(c["auth_time"].(float64)); at < before || at > iat {
				t.Errorf("auth_time %d is not the moment of the login", at)
			}
			if _, err := id.ParseSession(session.(string)); err != nil {
				t.Errorf("sid %v: %v", session, err)
			}
			names := "iss,sub,aud,iat,nbf,exp,jti,sid,tenant_id,tenant_slug,email,email_verified,name,roles,amr,acr,auth_time"
			(answer{body: mustJSON(t, c)}).wantMembers(t, "", names)

			seen := map[any]bool{c["jti"]: true, session: true}
			for range 3 {
				again := claimsOf(t, tt.login(t, email, goodPassword).want(t, 200, "").text("token"))
				if seen[again["jti"]] || seen[again["sid"]] {
					t.Errorf("a jti or sid came twice: %v %v", again["jti"], again["sid"])
				}
				seen[again["jti"]], seen[again["sid"]] = true, true
			}
		})
	}
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Two libraries of other people, told nothing but the issuer.
func TestAnyLibraryVerifiesTheTokenFromDiscoveryAlone(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	other := tp.newTenant(t)
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tt := tp.newTenantSigning(t, alg)
			email, userID := tt.newUser(t)
			token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")

			ctx := oidc.ClientContext(t.Context(), tp.client())
			provider, err := oidc.NewProvider(ctx, tt.issuer())
			if err != nil {
				t.Fatal(err)
			}
			verified, err := provider.Verifier(&oidc.Config{ClientID: tt.issuer()}).Verify(ctx, token)
			if err != nil {
				t.Fatalf("go-oidc: %v", err)
			}
			if verified.Subject != userID {
				t.Errorf("go-oidc: subject %s", verified.Subject)
			}
			stranger, err := oidc.NewProvider(ctx, other.issuer())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stranger.Verifier(&oidc.Config{SkipClientIDCheck: true, SkipIssuerCheck: true}).Verify(ctx, token); err == nil {
				t.Error("go-oidc: another tenant's keys verify the token")
			}

			parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatalf("go-jose: %v", err)
			}
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(tt.at(t, "GET", "/.well-known/jwks.json", request{}).body, &set); err != nil {
				t.Fatalf("go-jose: %v", err)
			}
			var c jwt.Claims
			if err := parsed.Claims(&set, &c); err != nil {
				t.Fatalf("go-jose: %v", err)
			}
			if err := c.Validate(jwt.Expected{Issuer: tt.issuer(), AnyAudience: jwt.Audience{tt.issuer()}, Subject: userID}); err != nil {
				t.Errorf("go-jose: %v", err)
			}
		})
	}
}

func TestDiscoveryIsOnePerTenant(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	for _, c := range []struct{ name, host, prefix string }{
		{"own host", tt.host, ""},
		{"shared host", "", "/t/" + tt.slug},
		{"own host and path", tt.host, "/t/" + tt.slug},
	} {
		m := tp.do(t, request{method: "GET", host: c.host, path: c.prefix + "/.well-known/openid-configuration"}).want(t, 200, "")
		if m.text("issuer") != tt.issuer() || m.text("jwks_uri") != tt.issuer()+"/.well-known/jwks.json" {
			t.Errorf("%s: %s", c.name, m.body)
		}
		k := tp.do(t, request{method: "GET", host: c.host, path: c.prefix + "/.well-known/jwks.json"}).want(t, 200, "")
		for _, a := range []answer{m, k} {
			if got := a.header.Get("Cache-Control"); got != "public, max-age=300" {
				t.Errorf("%s: Cache-Control %q", c.name, got)
			}
		}
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		tp.do(t, request{method: "GET", path: path}).want(t, 400, "tenant_required")
		tp.do(t, request{method: "GET", host: "unknown.example", path: path}).want(t, 404, "not_found")
		tp.do(t, request{method: "GET", path: "/t/nobody-has-this" + path}).want(t, 404, "not_found")
	}
}

// forger signs what it is told with the tenant's real key, or leaves the signing to others.
type forger struct {
	tt     testTenant
	tenant id.Tenant
	alg    custody.Algorithm
	header map[string]any
	claims map[string]any
}

func newForger(tb testing.TB, tt testTenant, alg custody.Algorithm, token string) forger {
	tb.Helper()
	tenant, err := id.ParseTenant(tt.id)
	if err != nil {
		tb.Fatal(err)
	}
	return forger{tt, tenant, alg, segment(tb, token, 0), claimsOf(tb, token)}
}

// input is the text to sign, with changes to header and claims; nil removes a member.
func (f forger) input(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()
	part := func(base, change map[string]any) string {
		m := maps.Clone(base)
		for k, v := range change {
			if m[k] = v; v == nil {
				delete(m, k)
			}
		}
		return base64.RawURLEncoding.EncodeToString(mustJSON(tb, m))
	}
	return part(f.header, header) + "." + part(f.claims, claims)
}

// sign is a token with the tenant's genuine signature over whatever it says.
func (f forger) sign(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()
	in := f.input(tb, header, claims)
	sig, err := f.tt.custodian.Sign(tb.Context(), f.tenant, custody.SigningKey{Version: 1, Algorithm: f.alg}, []byte(in))
	if err != nil {
		tb.Fatal(err)
	}
	return in + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func macOf(in string, secret []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(in))
	return in + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

type has = map[string]any

func TestAForgedTokenIsRefused(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tt, other := tp.newTenantSigning(t, alg), tp.newTenantSigning(t, alg)
			email, _ := tt.newUser(t)
			victim, _ := tt.newUser(t)
			token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
			victimClaims := claimsOf(t, tt.login(t, victim, goodPassword).want(t, 200, "").text("token"))
			otherEmail, _ := other.newUser(t)
			otherToken := other.login(t, otherEmail, goodPassword).want(t, 200, "").text("token")
			f, thief := newForger(t, tt, alg, token), newForger(t, other, alg, otherToken)
			parts := strings.Split(token, ".")
			now := time.Now().Unix()

			profile := func(token string) answer {
				return tt.at(t, "GET", "/v1/users/me/profile", request{header: map[string]string{"Authorization": "Bearer " + token}})
			}
			profile(token).want(t, 200, "")
			profile(f.sign(t, nil, nil)).want(t, 200, "") // the forger's tools work: only what is forged is refused
			profile(f.sign(t, nil, has{"aud": []string{tt.issuer(), "https://elsewhere.example"}})).want(t, 200, "")

			forged := map[string]string{
				"alg none":                   f.input(t, has{"alg": "none"}, nil) + ".",
				"alg None, old signature":    f.input(t, has{"alg": "None"}, nil) + "." + parts[2],
				"no alg":                     f.sign(t, has{"alg": nil}, nil),
				"alg of another kind":        f.sign(t, has{"alg": "PS256"}, nil),
				"alg in lower case":          f.sign(t, has{"alg": strings.ToLower(string(alg))}, nil),
				"alg a list":                 f.sign(t, has{"alg": []string{string(alg)}}, nil),
				"no kid":                     f.sign(t, has{"kid": nil}, nil),
				"another kid":                f.sign(t, has{"kid": "x"}, nil),
				"the kid of another tenant":  f.sign(t, has{"kid": thief.header["kid"]}, nil),
				"a kid that is a path":       f.sign(t, has{"kid": "../" + fmt.Sprint(f.header["kid"])}, nil),
				"a kid that is a number":     f.sign(t, has{"kid": 1}, nil),
				"typ JWT":                    f.sign(t, has{"typ": "JWT"}, nil),
				"typ in full":                f.sign(t, has{"typ": "application/at+jwt"}, nil),
				"no typ":                     f.sign(t, has{"typ": nil}, nil),
				"a critical extension":       f.sign(t, has{"crit": []string{"exp"}}, nil),
				"an empty crit":              f.sign(t, has{"crit": []string{}}, nil),
				"unencoded payload":          f.sign(t, has{"b64": false, "crit": []string{"b64"}}, nil),
				"another tenant's key":       thief.sign(t, nil, f.claims),
				"another tenant's key, kid":  thief.sign(t, has{"kid": f.header["kid"]}, f.claims),
				"this key, another tenant":   f.sign(t, nil, has{"iss": other.issuer(), "aud": other.issuer()}),
				"another issuer":             f.sign(t, nil, has{"iss": other.issuer()}),
				"issuer with a slash":        f.sign(t, nil, has{"iss": tt.issuer() + "/"}),
				"another audience":           f.sign(t, nil, has{"aud": "https://elsewhere.example"}),
				"an empty audience":          f.sign(t, nil, has{"aud": []string{}}),
				"another user's session":     f.sign(t, nil, has{"sid": victimClaims["sid"]}),
				"another user":               f.sign(t, nil, has{"sub": victimClaims["sub"]}),
				"a user who is no id":        f.sign(t, nil, has{"sub": "admin"}),
				"an unknown session":         f.sign(t, nil, has{"sid": id.NewSession().String()}),
				"expired":                    f.sign(t, nil, has{"exp": now - 31, "nbf": now - 631, "iat": now - 631}),
				"not yet valid":              f.sign(t, nil, has{"nbf": now + 40}),
				"from the future":            f.sign(t, nil, has{"iat": now + 40}),
				"exp beyond numbers":         f.sign(t, nil, has{"exp": json.RawMessage("1e999")}),
				"a signature of nothing":     parts[0] + "." + parts[1] + ".",
				"no signature":               parts[0] + "." + parts[1],
				"four parts":                 token + "." + parts[2],
				"padded":                     token + "=",
				"a cut signature":            token[:len(token)-4],
				"a signature of zeros":       parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
				"claims changed afterwards":  parts[0] + "." + strings.Split(f.input(t, nil, has{"roles": []string{"admin"}}), ".")[1] + "." + parts[2],
				"standard base64":            parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+/",
				"a JWE":                      parts[0] + "...." + parts[2],
				"JSON serialisation":         fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
				"dots alone":                 "..",
				"garbage":                    "x",
				"a header that is no object": base64.RawURLEncoding.EncodeToString([]byte(`[]`)) + "." + parts[1] + "." + parts[2],
			}
			for _, claim := range []string{"iss", "sub", "aud", "iat", "nbf", "exp", "jti", "sid", "tenant_id"} {
				forged["without "+claim] = f.sign(t, nil, has{claim: nil})
			}
			// RFC 8725 section 2.1: the public key, known to everybody, as the secret of a MAC.
			key := tt.jwks(t)
			for name, secret := range map[string][]byte{
				"JWK": mustJSON(t, key), "empty": {}, "PEM": pemOf(t, key), "kid": []byte(fmt.Sprint(key["kid"])),
			} {
				forged["HS256 by "+name] = macOf(f.input(t, has{"alg": "HS256"}, nil), secret)
			}
			// A key of the attacker's own, handed over in the header.
			mine, public := ownKey(t, alg)
			for name, header := range map[string]has{
				"jwk": {"jwk": public}, "jwk without kid": {"jwk": public, "kid": nil}, "jku": {"jku": "http://127.0.0.1:1/jwks.json"},
				"x5u": {"x5u": "http://127.0.0.1:1/cert.pem"}, "x5c": {"x5c": []string{"MIIB"}}, "x5t": {"x5t": "AAAA"},
			} {
				in := f.input(t, header, nil)
				forged["own key by "+name] = in + "." + base64.RawURLEncoding.EncodeToString(mine([]byte(in)))
			}
			for name, forgery := range forged {
				t.Run(name, func(t *testing.T) {
					a := profile(forgery).want(t, 401, "unauthenticated")
					if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
						t.Errorf("WWW-Authenticate %q", got)
					}
				})
			}
			profile(f.sign(t, nil, has{"tenant_id": other.id})).want(t, 403, "tenant_mismatch")
			// Too large for its header; that it is refused is what matters.
			for _, size := range []int{9 << 10, 100 << 10} {
				if a := tt.send(t, fmt.Sprintf("GET /v1/users/me/profile HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", tt.host, token+strings.Repeat("A", size))); a.status != 401 && a.status != 431 {
					t.Errorf("a token of %d bytes more: %d %s", size, a.status, a.body)
				}
			}
			other.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 403, "tenant_mismatch")
		})
	}
}

func pemOf(tb testing.TB, key map[string]any) []byte {
	tb.Helper()
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(mustJSON(tb, key)); err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// ownKey is a key of the attacker's of the right kind: how it signs, and its public part.
func ownKey(tb testing.TB, alg custody.Algorithm) (sign func([]byte) []byte, public jose.JSONWebKey) {
	tb.Helper()
	var private any
	var err error
	switch alg {
	case custody.ES256:
		k, e := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		private, public.Key, err = k, k.Public(), e
	case custody.EdDSA:
		p, k, e := ed25519.GenerateKey(rand.Reader)
		private, public.Key, err = k, p, e
	case custody.RS256:
		k, e := rsa.GenerateKey(rand.Reader, 2048)
		private, public.Key, err = k, k.Public(), e
	}
	if err != nil {
		tb.Fatal(err)
	}
	return func(in []byte) []byte {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: private}, nil)
		if err != nil {
			tb.Fatal(err)
		}
		s, err := signer.Sign(in)
		if err != nil {
			tb.Fatal(err)
		}
		return s.Signatures[0].Signature
	}, public
}

func TestCredentialsAreSentInOneWayOnly(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	refresh := tt.login(t, email, goodPassword).text("refresh_token")
	raw := func(headers ...string) answer {
		return tt.send(t, "GET /v1/users/me/profile HTTP/1.1\r\nHost: "+tt.host+"\r\n"+strings.Join(append(headers, "\r\n"), "\r\n"))
	}
	for _, ok := range []string{"Authorization: Bearer " + token, "authorization: bearer " + token, "Authorization: BEARER " + token} {
		raw(ok).want(t, 200, "")
	}
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"none":                      {nil, 401},
		"another scheme":            {[]string{"Authorization: Basic " + token}, 401},
		"no scheme":                 {[]string{"Authorization: " + token}, 401},
		"no token":                  {[]string{"Authorization: Bearer"}, 401},
		"an empty token":            {[]string{"Authorization: Bearer "}, 401},
		"token and more":            {[]string{"Authorization: Bearer " + token + " x"}, 401},
		"two tokens in one":         {[]string{"Authorization: Bearer " + token + "," + token}, 401},
		"the scheme run together":   {[]string{"Authorization: Bearer" + token}, 401},
		"the header twice":          {[]string{"Authorization: Bearer " + token, "Authorization: Bearer " + token}, 400},
		"token and key":             {[]string{"Authorization: Bearer " + token, "X-API-Key: " + tt.key}, 400},
		"token and an empty key":    {[]string{"Authorization: Bearer " + token, "X-API-Key: "}, 401},
		"a key twice":               {[]string{"X-API-Key: " + tt.key, "X-API-Key: " + tt.key}, 400},
		"a key as a token":          {[]string{"Authorization: Bearer " + tt.key}, 401},
		"a token as a key":          {[]string{"X-API-Key: " + token}, 401},
		"a refresh token":           {[]string{"Authorization: Bearer " + refresh}, 401},
		"a refresh token as a key":  {[]string{"X-API-Key: " + refresh}, 401},
		"a key where a user is due": {[]string{"X-API-Key: " + tt.key}, 401},
		"a cookie":                  {[]string{"Cookie: token=" + token}, 401},
	} {
		if a := raw(c.headers...); a.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
	tt.at(t, "GET", "/v1/users/me/profile?access_token="+token, request{}).want(t, 401, "unauthenticated")
	tt.at(t, "POST", "/v1/users/me/profile", request{header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: "access_token=" + token}).want(t, 405, "method_not_allowed")
}
