package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// workshop makes tokens of a tenant with keys of its own, one of each kind.
type workshop struct {
	tokens  *Tokens
	tenant  tenancy.Tenant
	keys    *tenancy.Keys
	private map[string]crypto.Signer
	now     time.Time
}

func newWorkshop(tb testing.TB) *workshop {
	tb.Helper()
	address, err := tenancy.ParseAddress("https://id.example")
	if err != nil {
		tb.Fatal(err)
	}
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err2 := ed25519.GenerateKey(rand.Reader)
	rs, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err1 != nil || err2 != nil || err3 != nil {
		tb.Fatal(err1, err2, err3)
	}
	w := &workshop{now: time.Now().Truncate(time.Second), tenant: tenancy.Tenant{ID: id.NewTenant(), Slug: "acme"},
		private: map[string]crypto.Signer{"ES256": ec, "EdDSA": ed, "RS256": rs}, keys: &tenancy.Keys{}}
	for kid, key := range w.private { // named by what they are; in the service a kid is a thumbprint
		w.keys.Public = append(w.keys.Public, tenancy.PublicKey{KID: kid,
			VerificationKey: tenancy.VerificationKey{Algorithm: custody.Algorithm(kid), Key: key.Public()}})
	}
	w.tokens = &Tokens{Address: address, Now: func() time.Time { return w.now }}
	return w
}

func (w *workshop) claims() Claims {
	issuer := w.tokens.Address.Issuer(w.tenant)
	return Claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: id.NewUser().String(), Audience: jwt.ClaimStrings{issuer}, ID: "1",
			IssuedAt: jwt.NewNumericDate(w.now), NotBefore: jwt.NewNumericDate(w.now), ExpiresAt: jwt.NewNumericDate(w.now.Add(10 * time.Minute))},
		Session: id.NewSession(), Tenant: w.tenant.ID, TenantSlug: w.tenant.Slug, Email: "a@b.example", Roles: []Role{RoleUser}, AMR: []string{"pwd"},
		ACR: "aal1", AuthTime: jwt.NewNumericDate(w.now),
	}
}

func (w *workshop) sign(tb testing.TB, kid string, header map[string]any, claims jwt.Claims) string {
	tb.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(kid), claims)
	token.Header = map[string]any{"alg": kid, "typ": accessType, "kid": kid}
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(w.private[kid])
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestATokenOfTheTenantIsRead(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for kid := range w.private {
		want := w.claims()
		got, err := w.tokens.read(w.keys, w.tenant, w.sign(t, kid, nil, want))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", kid, got, err)
		}
	}
}

func TestTheClockHasHalfAMinuteOfPlay(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	token := w.sign(t, "ES256", nil, w.claims())
	issued := w.now
	for at, ok := range map[time.Duration]bool{
		-31 * time.Second: false, -29 * time.Second: true, 0: true, 10*time.Minute + 29*time.Second: true, 10*time.Minute + 31*time.Second: false,
	} {
		w.now = issued.Add(at)
		if _, err := w.tokens.read(w.keys, w.tenant, token); (err == nil) != ok {
			t.Errorf("at %s: %v", at, err)
		}
	}
}

func TestATokenSaysAllThatIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for name, spoil := range map[string]func(*Claims){
		"iss": func(c *Claims) { c.Issuer = "" }, "another issuer": func(c *Claims) { c.Issuer += "/" },
		"aud": func(c *Claims) { c.Audience = nil }, "another audience": func(c *Claims) { c.Audience = jwt.ClaimStrings{"https://x.example"} },
		"exp": func(c *Claims) { c.ExpiresAt = nil }, "nbf": func(c *Claims) { c.NotBefore = nil }, "iat": func(c *Claims) { c.IssuedAt = nil },
		"jti": func(c *Claims) { c.ID = "" }, "tenant": func(c *Claims) { c.Tenant = id.Tenant{} }, "another tenant": func(c *Claims) { c.Tenant = id.NewTenant() },
	} {
		c := w.claims()
		spoil(&c)
		if _, err := w.tokens.read(w.keys, w.tenant, w.sign(t, "EdDSA", nil, c)); !problem.Is(err, "unauthenticated") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, header := range map[string]map[string]any{
		"typ": {"typ": "JWT"}, "no typ": {"typ": nil}, "kid": {"kid": "x"}, "no kid": {"kid": nil}, "the kid of another kind": {"kid": "RS256"}, "crit": {"crit": []string{}},
		"alg": {"alg": "RS256"}, "none": {"alg": "none"}, "no alg": {"alg": nil},
	} {
		if _, err := w.tokens.read(w.keys, w.tenant, w.sign(t, "EdDSA", header, w.claims())); !problem.Is(err, "unauthenticated") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.tenant.ID = id.NewTenant()
	token := w.sign(t, "EdDSA", nil, w.claims())
	w.tenant.ID = id.NewTenant()
	if _, err := w.tokens.read(w.keys, w.tenant, token); err == nil {
		t.Error("a token of a tenant is read by another that has its keys")
	}
}

// reads holds the promise of read against any text: it does not panic, and what is read is what was signed, claim by
// claim.
func (w *workshop) reads(t *testing.T, token string, signed Claims) {
	t.Helper()
	c, err := w.tokens.read(w.keys, w.tenant, token)
	if err != nil {
		if !problem.Is(err, "unauthenticated") {
			t.Fatalf("%q: %v", token, err)
		}
		return
	}
	if !reflect.DeepEqual(*c, signed) {
		t.Fatalf("%q was read as %+v, which nobody signed", token, c)
	}
}

func FuzzReadToken(f *testing.F) {
	w := newWorkshop(f)
	for _, s := range []string{"", ".", "..", "...", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiIsImtpZCI6IkVTMjU2IiwidHlwIjoiYXQrand0In0.e30.AAAA", strings.Repeat("A", maxTokenLength+1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) { w.reads(t, token, Claims{}) })
}

// A genuine token with a part cut out and another put in its place. A spelling of the same signature may pass; other
// claims may not.
func FuzzReadAlteredToken(f *testing.F) {
	w := newWorkshop(f)
	signed := w.claims()
	kids := []string{"ES256", "EdDSA", "RS256"}
	var genuine [3]string
	for i, kid := range kids {
		genuine[i] = w.sign(f, kid, nil, signed)
		f.Add(uint8(i), uint16(0), uint16(0), "")
		f.Add(uint8(i), uint16(len(genuine[i])), uint16(0), "=")
		f.Add(uint8(i), uint16(len(genuine[i])), uint16(0), "\n")
		f.Add(uint8(i), uint16(60), uint16(1), "A")
		f.Add(uint8(i), uint16(0), uint16(strings.IndexByte(genuine[i], '.')), "eyJhbGciOiJub25lIn0")
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, with string) {
		token := genuine[int(which)%len(genuine)]
		from := min(int(at), len(token))
		w.reads(t, token[:from]+with+token[min(from+int(cut), len(token)):], signed)
	})
}
