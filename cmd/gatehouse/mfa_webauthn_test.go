package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/mfa"
)

var b64 = base64.RawURLEncoding

// key is one credential of an authenticator, and the browser that holds it.
type key struct {
	testTenant
	auth   virtualwebauthn.Authenticator
	cred   virtualwebauthn.Credential
	method string
	user   []byte // the user handle
	rpID   string
}

func (tt testTenant) origin(host string) string {
	return "http://" + host + tt.url[strings.LastIndexByte(tt.url, ':'):]
}

func (tt testTenant) newAuthenticator(method string) *key {
	for {
		k := &key{testTenant: tt, method: method, auth: virtualwebauthn.NewAuthenticator(), cred: virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)}
		// The library writes a coordinate that begins with a zero byte without it, which is no COSE key (RFC 9053 section 7.1.1).
		if len(k.cred.Key.AttestationData()) == 77 {
			return k
		}
	}
}

// make answers creation options.
func (k *key) make(tb testing.TB, options any) json.RawMessage {
	tb.Helper()
	o := options.(map[string]any)
	text, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	k.user, k.rpID = []byte(parsed.UserID), parsed.RelyingPartyID
	rp := virtualwebauthn.RelyingParty{ID: k.rpID, Origin: k.origin(k.host)}
	return json.RawMessage(virtualwebauthn.CreateAttestationResponse(rp, k.auth, k.cred, *parsed))
}

// claim is what an authenticator signs, for tests to bend.
type claim struct {
	kind, challenge, origin, rpID string
	flags                         byte // 1 present, 4 verified, 8 eligible for backup, 16 backed up
	counter                       uint32
	handle                        []byte
	extra                         map[string]any // more client data
	spoil                         func(response map[string]string)
}

// sign answers request options, after bend.
func (k *key) sign(tb testing.TB, options any, bend func(*claim)) map[string]any {
	tb.Helper()
	o := options.(map[string]any)
	k.cred.Counter++
	c := claim{"webauthn.get", o["challenge"].(string), k.origin(k.host), o["rpId"].(string), 5, k.cred.Counter, k.user, nil, nil}
	if k.auth.Options.BackupEligible {
		c.flags |= 8
	}
	if bend != nil {
		bend(&c)
	}
	data := map[string]any{"type": c.kind, "challenge": c.challenge, "origin": c.origin, "crossOrigin": false}
	for name, value := range c.extra {
		data[name] = value
	}
	client, err := json.Marshal(data)
	if err != nil {
		tb.Fatal(err)
	}
	rp := sha256.Sum256([]byte(c.rpID))
	auth := binary.BigEndian.AppendUint32(append(rp[:], c.flags), c.counter)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, auth...), hash[:]...))
	sig, err := k.cred.Key.Sign(digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	response := map[string]string{"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(auth), "signature": b64.EncodeToString(sig)}
	if c.handle != nil {
		response["userHandle"] = b64.EncodeToString(c.handle)
	}
	if c.spoil != nil {
		c.spoil(response)
	}
	id := b64.EncodeToString(k.cred.ID)
	return map[string]any{"id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}}
}

// register adds the key to the account of whoever holds the token.
func (k *key) register(tb testing.TB, token string) answer {
	tb.Helper()
	o := k.post(tb, "/v1/users/me/mfa/webauthn/register?method_type="+k.method, token, nil).want(tb, 200, "").field("options")
	return k.finish(tb, token, k.make(tb, o))
}

func (k *key) finish(tb testing.TB, token string, credential any) answer {
	tb.Helper()
	return k.post(tb, "/v1/users/me/mfa/webauthn/register/complete", token, map[string]any{"credential": credential, "device_name": "My key", "method_type": k.method})
}

// keyed is a user with a passkey or security key.
type keyed struct {
	*key
	email, id string
}

func (tt testTenant) keyedUser(tb testing.TB, method string) keyed {
	tb.Helper()
	return tt.keyedWith(tb, tt.newAuthenticator(method))
}

func (tt testTenant) keyedWith(tb testing.TB, k *key) keyed {
	tb.Helper()
	email, id := tt.newUser(tb)
	token := tt.login(tb, email, goodPassword).want(tb, 200, "").text("token")
	a := k.register(tb, token).want(tb, 200, "")
	if codes, _ := a.field("codes").([]any); len(codes) != 10 || a.field("remaining") != 10.0 {
		tb.Fatalf("not ten backup codes: %s", a.body)
	}
	return keyed{k, email, id}
}

// asked signs in with the password and begins to prove the key.
func (u keyed) asked(tb testing.TB) (challenge string, options any) {
	tb.Helper()
	challenge = u.login(tb, u.email, goodPassword).want(tb, 200, "").text("challenge_id")
	return challenge, u.begin(tb, challenge).want(tb, 200, "").field("options")
}

func (tt testTenant) begin(tb testing.TB, challenge string) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/mfa/webauthn/begin", "", map[string]any{"challenge_id": challenge})
}

func (tt testTenant) complete(tb testing.TB, challenge string, credential any) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/mfa/webauthn/complete", "", map[string]any{"challenge_id": challenge, "credential": credential})
}

func (tt testTenant) passkey(tb testing.TB) (challenge string, options any) {
	tb.Helper()
	a := tt.post(tb, "/v1/auth/passkey/begin", "", map[string]any{}).want(tb, 200, "")
	return a.text("challenge_id"), a.field("options")
}

func (tt testTenant) completePasskey(tb testing.TB, challenge string, credential any) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/passkey/complete", "", map[string]any{"challenge_id": challenge, "credential": credential})
}

// stalePasskey is what somebody was asked six minutes ago.
func (tt testTenant) stalePasskey(tb testing.TB) (challenge string, options any) {
	tb.Helper()
	then := *tt.factors
	then.Now = func() time.Time { return time.Now().Add(-6 * time.Minute) }
	challenge, o, err := (&mfa.Desk{Factors: &then}).BeginPasskey(tb.Context(), tt.record(tb))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(mustJSON(tb, o), &options); err != nil {
		tb.Fatal(err)
	}
	return challenge, options
}

func wantClaims(tb testing.TB, token, amr, acr string) {
	tb.Helper()
	got := claims(tb, token)
	if text, _ := json.Marshal(got["amr"]); string(text) != amr || got["acr"] != acr {
		tb.Errorf("amr %s, acr %v, want %s %s", text, got["acr"], amr, acr)
	}
}

func TestAKeyIsASecondFactor(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, c := range []struct {
		name, method string
		bend         func(*claim)
		eligible     bool
		amr          string
	}{
		{"a security key that is touched", "webauthn_fido", func(c *claim) { c.flags &^= 4 }, false, `["pwd","hwk","mfa"]`},
		{"a security key with a PIN", "webauthn_fido", nil, false, `["pwd","hwk","user","mfa"]`},
		{"a passkey of this device", "webauthn_passkey", nil, false, `["pwd","hwk","user","mfa"]`},
		{"a passkey that is copied between devices", "webauthn_passkey", func(c *claim) { c.flags |= 16 }, true, `["pwd","swk","user","mfa"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := tt.newAuthenticator(c.method)
			k.auth.Options.BackupEligible = c.eligible
			u := tt.keyedWith(t, k)
			a := u.login(t, u.email, goodPassword).want(t, 200, "")
			if methods, _ := json.Marshal(a.field("methods")); string(methods) != `["`+c.method+`"]` {
				t.Errorf("methods %s", methods)
			}
			challenge := a.text("challenge_id")
			options := u.begin(t, challenge).want(t, 200, "").field("options")
			done := u.complete(t, challenge, u.sign(t, options, c.bend)).want(t, 200, "")
			wantClaims(t, done.text("token"), c.amr, "aal2")
			u.complete(t, challenge, u.sign(t, options, c.bend)).want(t, 401, "challenge_expired")
			// The proved session may add another key; one that only knows the password may not.
			second := tt.newAuthenticator(c.method)
			second.register(t, done.text("token")).want(t, 200, "").wantMembers(t, "", "remaining")
			list := u.do(t, request{method: "GET", host: u.host, path: "/v1/users/me/mfa", bearer: done.text("token")}).want(t, 200, "")
			row := list.field("methods").([]any)[0].(map[string]any)
			if row["method_type"] != c.method || row["device_name"] != "My key" || row["verified"] != true || row["last_used_at"] == nil {
				t.Errorf("listed as %v", row)
			}
		})
	}
}

func TestOptionsSayWhatIsAsked(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_fido")
	challenge, options := u.asked(t)
	o := answer{body: mustJSON(t, options)}
	if o.text("rpId") != tt.host || o.text("userVerification") != "preferred" || o.field("timeout") != 300000.0 || len(o.text("challenge")) != 43 {
		t.Errorf("request options %s", o.body)
	}
	allowed := o.field("allowCredentials").([]any)
	if len(allowed) != 1 || allowed[0].(map[string]any)["id"] != b64.EncodeToString(u.cred.ID) {
		t.Errorf("allowed %v", allowed)
	}
	token := u.complete(t, challenge, u.sign(t, options, nil)).want(t, 200, "").text("token")
	for method, want := range map[string][4]any{
		"webauthn_passkey": {"required", "required", nil, nil},
		"webauthn_fido":    {"discouraged", "preferred", "cross-platform", []any{"security-key"}},
	} {
		o := tt.post(t, "/v1/users/me/mfa/webauthn/register?method_type="+method, token, nil).want(t, 200, "")
		got := [4]any{o.field("options.authenticatorSelection.residentKey"), o.field("options.authenticatorSelection.userVerification"),
			o.field("options.authenticatorSelection.authenticatorAttachment"), o.field("options.hints")}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", method, got, want)
		}
		if handle, _ := b64.DecodeString(o.text("options.user.id")); string(handle) != string(u.user) || len(handle) != 16 {
			t.Errorf("user handle %x", handle)
		}
		if algs, _ := json.Marshal(o.field("options.pubKeyCredParams")); string(algs) != `[{"alg":-7,"type":"public-key"},{"alg":-8,"type":"public-key"},{"alg":-257,"type":"public-key"}]` {
			t.Errorf("algorithms %s", algs)
		}
		if o.text("options.attestation") != "none" || o.text("options.rp.id") != tt.host || len(o.field("options.excludeCredentials").([]any)) != 1 {
			t.Errorf("creation options %s", o.body)
		}
	}
}

// bends are assertions that nobody may get in with, as a second factor or as a passkey.
var bends = map[string]func(*claim){
	"made on another site":                       func(c *claim) { c.origin = "https://evil.example" },
	"made on a name below the tenant's":          func(c *claim) { c.origin = strings.Replace(c.origin, "http://", "http://www.", 1) },
	"made on another port":                       func(c *claim) { c.origin = c.origin[:strings.LastIndexByte(c.origin, ':')] + ":1" },
	"made with another scheme":                   func(c *claim) { c.origin = strings.Replace(c.origin, "http:", "https:", 1) },
	"whose origin is written otherwise":          func(c *claim) { c.origin += "/" },
	"whose origin has a user name":               func(c *claim) { c.origin = strings.Replace(c.origin, "//", "//x@", 1) },
	"for another relying party":                  func(c *claim) { c.rpID = "globex.localhost" },
	"for another challenge":                      func(c *claim) { c.challenge = b64.EncodeToString(make([]byte, 32)) },
	"for no challenge":                           func(c *claim) { c.challenge = "" },
	"of the type of a registration":              func(c *claim) { c.kind = "webauthn.create" },
	"of no type":                                 func(c *claim) { c.kind = "" },
	"made inside a frame of another site":        func(c *claim) { c.extra = map[string]any{"crossOrigin": true} },
	"made below another site":                    func(c *claim) { c.extra = map[string]any{"topOrigin": "https://evil.example"} },
	"without the user being present":             func(c *claim) { c.flags &^= 1 },
	"that can be backed up all of a sudden":      func(c *claim) { c.flags |= 8 },
	"that is backed up and cannot be":            func(c *claim) { c.flags |= 16 },
	"whose counter stands still":                 func(c *claim) { c.counter = 1 },
	"whose counter went back to zero":            func(c *claim) { c.counter = 0 },
	"that names another user":                    func(c *claim) { c.handle = make([]byte, 16) },
	"with a signature of nothing":                spoil("signature", func(b []byte) []byte { return nil }),
	"with a signature that was touched":          spoil("signature", flip),
	"with a signature that has something behind": spoil("signature", func(b []byte) []byte { return append(b, 0) }),
	"with authenticator data that was touched":   spoil("authenticatorData", func(b []byte) []byte { b[36]++; return b }),
	"with authenticator data that is too long":   spoil("authenticatorData", func(b []byte) []byte { return append(b, 0) }),
	"with authenticator data that is cut":        spoil("authenticatorData", func(b []byte) []byte { return b[:36] }),
	"with client data that was touched":          spoil("clientDataJSON", func(b []byte) []byte { return append(b, ' ') }),
	"with client data that is no JSON":           spoil("clientDataJSON", func([]byte) []byte { return []byte("{") }),
	"with client data that says all twice":       spoil("clientDataJSON", func(b []byte) []byte { return []byte(strings.Replace(string(b), "{", `{"Type":"webauthn.get",`, 1)) }),
}

func flip(b []byte) []byte { b[len(b)-1] ^= 1; return b }

func spoil(member string, how func([]byte) []byte) func(*claim) {
	return func(c *claim) {
		c.spoil = func(r map[string]string) {
			was, _ := b64.DecodeString(r[member])
			r[member] = b64.EncodeToString(how(was))
		}
	}
}

func TestAnAssertionIsRefused(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for name, bend := range bends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := tt.newAuthenticator("webauthn_passkey")
			k.cred.Counter = 1 // of the registration
			u := tt.keyedWith(t, k)
			challenge, options := u.asked(t)
			u.complete(t, challenge, u.sign(t, options, bend)).want(t, 401, "invalid_credential")
			passChallenge, passOptions := u.passkey(t)
			u.completePasskey(t, passChallenge, u.sign(t, passOptions, bend)).want(t, 401, "invalid_credential")
			// What was refused changed nothing.
			u.complete(t, challenge, u.sign(t, options, nil)).want(t, 200, "")
			u.completePasskey(t, passChallenge, u.sign(t, passOptions, nil)).want(t, 200, "")
		})
	}
	t.Run("by a passkey that did not verify its user", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := u.asked(t)
		u.complete(t, challenge, u.sign(t, options, func(c *claim) { c.flags &^= 4 })).want(t, 401, "invalid_credential")
		challenge, options = u.passkey(t)
		u.completePasskey(t, challenge, u.sign(t, options, func(c *claim) { c.flags &^= 4 })).want(t, 401, "invalid_credential")
	})
	t.Run("by somebody else's key", func(t *testing.T) {
		t.Parallel()
		u, other := tt.keyedUser(t, "webauthn_fido"), tt.keyedUser(t, "webauthn_fido")
		challenge, options := u.asked(t)
		u.complete(t, challenge, other.sign(t, options, nil)).want(t, 401, "invalid_credential")
		u.complete(t, challenge, other.sign(t, options, func(c *claim) { c.handle = u.user })).want(t, 401, "invalid_credential")
	})
	t.Run("by a key nobody has registered", func(t *testing.T) {
		t.Parallel()
		u, stray := tt.keyedUser(t, "webauthn_passkey"), tt.newAuthenticator("webauthn_passkey")
		stray.user = u.user
		challenge, options := u.asked(t)
		u.complete(t, challenge, stray.sign(t, options, nil)).want(t, 401, "invalid_credential")
		stray.cred.ID = u.cred.ID // another key under its name
		u.complete(t, challenge, stray.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("when nothing was asked", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		challenge := u.login(t, u.email, goodPassword).want(t, 200, "").text("challenge_id")
		options := map[string]any{"challenge": "", "rpId": tt.host}
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("after another was asked for", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		challenge, options := u.asked(t)
		u.begin(t, challenge).want(t, 200, "")
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("at somebody else's challenge", func(t *testing.T) {
		t.Parallel()
		u, other := tt.keyedUser(t, "webauthn_fido"), tt.keyedUser(t, "webauthn_fido")
		_, options := u.asked(t)
		challenge, _ := other.asked(t)
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("when the challenge has expired", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		challenge, options := u.asked(t)
		tt.exec(t, `update challenges set expires_at = now() where user_id = $1`, u.id)
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 401, "challenge_expired")
		u.begin(t, challenge).want(t, 401, "challenge_expired")
	})
	t.Run("and counted like a code", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		challenge, options := u.asked(t)
		for range 5 {
			u.complete(t, challenge, map[string]any{"id": "?"}).want(t, 401, "invalid_credential")
		}
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 401, "challenge_expired")
		challenge, options = u.asked(t)
		u.complete(t, challenge, map[string]any{}).want(t, 401, "invalid_credential")
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 429, "rate_limited")
		// A passkey is never locked out (R14), but this is none.
	})
}

func TestACounterThatNeverCountsIsFine(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).keyedUser(t, "webauthn_passkey")
	for range 2 {
		challenge, options := u.passkey(t)
		u.completePasskey(t, challenge, u.sign(t, options, func(c *claim) { c.counter = 0 })).want(t, 200, "")
	}
}

func TestAPasskeySignsInAlone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	providers := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/auth/providers"}).want(t, 200, "")
	if methods, _ := json.Marshal(providers.field("methods")); string(methods) != `["local","passkey"]` {
		t.Errorf("methods %s", methods)
	}
	challenge, options := tt.passkey(t)
	o := answer{body: mustJSON(t, options)}
	o.wantMembers(t, "", "challenge,timeout,rpId,userVerification")
	if o.text("userVerification") != "required" {
		t.Errorf("options %s", o.body)
	}
	credential := u.sign(t, options, nil)
	a := tt.completePasskey(t, challenge, credential).want(t, 200, "")
	wantClaims(t, a.text("token"), `["hwk","user","mfa"]`, "aal2")
	u.register(t, a.text("token")).want(t, 400, "invalid_credential") // the session is fresh; the key is there already
	tt.completePasskey(t, challenge, credential).want(t, 401, "invalid_credential")
	tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")

	// Which tenant's on the shared host is said in the body.
	begun := tt.do(t, request{method: "POST", path: "/v1/auth/passkey/begin", body: map[string]any{"tenant_slug": tt.slug}}).want(t, 200, "")
	tt.do(t, request{method: "POST", path: "/v1/auth/passkey/complete", body: map[string]any{"tenant_slug": tt.slug,
		"challenge_id": begun.text("challenge_id"), "credential": u.sign(t, begun.field("options"), nil)}}).want(t, 200, "")
}

func TestAPasskeyIsRefused(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	t.Run("without a user handle", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, func(c *claim) { c.handle = nil })).want(t, 401, "invalid_credential")
	})
	t.Run("with the user handle of somebody else", func(t *testing.T) {
		t.Parallel()
		u, other := tt.keyedUser(t, "webauthn_passkey"), tt.keyedUser(t, "webauthn_passkey")
		challenge, options := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, func(c *claim) { c.handle = other.user })).want(t, 401, "invalid_credential")
	})
	t.Run("when it is a security key", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		challenge, options := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("under another challenge's id", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		_, options := tt.passkey(t)
		challenge, _ := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
	})
	t.Run("with a later expiry", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, func(c *claim) {
			raw, _ := b64.DecodeString(c.challenge)
			raw[7]++
			c.challenge = b64.EncodeToString(raw)
		})).want(t, 401, "invalid_credential")
	})
	t.Run("when the challenge has expired", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := tt.stalePasskey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "challenge_expired")
	})
	t.Run("with the challenge of a login", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := u.asked(t)
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
		passChallenge, passOptions := tt.passkey(t)
		tt.complete(t, passChallenge, u.sign(t, passOptions, nil)).want(t, 401, "challenge_expired")
	})
	for name, change := range map[string]string{
		"of somebody who is suspended":  `update users set active = false where id = $1`,
		"of somebody who is unverified": `update users set email_verified = false where id = $1`,
		"of somebody who is gone":       `delete from users where id = $1`,
		"that was removed":              `delete from factors where user_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := tt.keyedUser(t, "webauthn_passkey")
			challenge, options := tt.passkey(t)
			tt.exec(t, change, u.id)
			tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 401, "invalid_credential")
		})
	}
	t.Run("where the tenant does not offer it", func(t *testing.T) {
		t.Parallel()
		tt := sharedPlatform(t).newTenant(t)
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := tt.passkey(t)
		tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["methods"] = []string{"totp"} }).want(t, 200, "")
		tt.post(t, "/v1/auth/passkey/begin", "", nil).want(t, 403, "method_not_offered")
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 403, "method_not_offered")
		token, _ := tt.signIn(t)
		tt.post(t, "/v1/users/me/mfa/webauthn/register?method_type=webauthn_passkey", token, nil).want(t, 403, "method_not_offered")
		if m := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/auth/providers"}).field("methods").([]any); len(m) != 1 {
			t.Errorf("providers %v", m)
		}
	})
}

func TestBeginningWritesNothing(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	before := tt.count(t, `select count(*) from challenges`)
	for range 50 {
		tt.passkey(t)
	}
	if after := tt.count(t, `select count(*) from challenges`); after != before {
		t.Errorf("%d challenges, then %d", before, after)
	}
	// A mark is swept once its challenge has expired, by the next sign-in.
	for range 2 {
		challenge, options := tt.passkey(t)
		tt.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 200, "")
		if marks := tt.count(t, `select count(*) from challenges where purpose = 'passkey'`); marks != 1 {
			t.Errorf("%d marks", marks)
		}
		tt.exec(t, `update challenges set expires_at = now() where purpose = 'passkey'`)
	}
}

func TestOneTenantsKeysAreUselessAtAnother(t *testing.T) {
	t.Parallel()
	acme, globex := sharedPlatform(t).newTenant(t), sharedPlatform(t).newTenant(t)
	u, v := acme.keyedUser(t, "webauthn_passkey"), globex.keyedUser(t, "webauthn_passkey")
	there := func(c *claim) { c.origin = globex.origin(globex.host) }

	challenge, options := globex.passkey(t)
	globex.completePasskey(t, challenge, u.sign(t, options, there)).want(t, 401, "invalid_credential")
	globex.completePasskey(t, challenge, u.sign(t, options, func(c *claim) { c.handle = v.user; c.origin = globex.origin(globex.host) })).want(t, 401, "invalid_credential")
	challenge, options = v.asked(t)
	globex.complete(t, challenge, u.sign(t, options, there)).want(t, 401, "invalid_credential")
	acme.complete(t, challenge, v.sign(t, options, nil)).want(t, 401, "challenge_expired")
	// What acme asked for is not what globex asked for, even from globex's own passkey.
	challenge, options = acme.passkey(t)
	globex.completePasskey(t, challenge, v.sign(t, options, func(c *claim) { c.rpID = globex.host })).want(t, 401, "invalid_credential")
	// The same credential id may exist at both.
	twin := globex.newAuthenticator("webauthn_passkey")
	twin.cred.ID = u.cred.ID
	globex.keyedWith(t, twin)
}

func TestAnAnswerIsGoodOnceHoweverManyTryAtOnce(t *testing.T) {
	t.Parallel()
	u := sharedPlatform(t).newTenant(t).keyedUser(t, "webauthn_passkey")
	once := func(what string, try func(i int) answer) {
		t.Helper()
		answers := atOnce(50, func(i int) answer { return insist(func() answer { return try(i) }) })
		if got := tally(answers); got["200"] != 1 {
			t.Fatalf("%s: answers %v, want one token", what, got)
		}
	}
	for _, counter := range []func(*claim){nil, func(c *claim) { c.counter = 0 }} {
		if counter != nil {
			u.exec(t, `update factors set credential = jsonb_set(credential::jsonb, '{sign_count}', '0')::text where user_id = $1`, u.id)
		}
		for range testenv.Rounds(t) {
			challenge, options := u.asked(t)
			credential := u.sign(t, options, counter)
			once("assertion", func(int) answer { return u.complete(t, challenge, credential) })
			challenge, options = u.passkey(t)
			credential = u.sign(t, options, counter)
			once("passkey", func(int) answer { return u.completePasskey(t, challenge, credential) })
		}
	}
	// Two ceremonies, one counter: a clone.
	var challenges []string
	var credentials []any
	u.cred.Counter += 10
	for range 5 {
		challenge, options := u.passkey(t)
		challenges, credentials = append(challenges, challenge), append(credentials, u.sign(t, options, func(c *claim) { c.counter = 1000 }))
	}
	once("counter", func(i int) answer {
		return u.completePasskey(t, challenges[i%len(challenges)], credentials[i%len(challenges)])
	})
	u.cred.Counter = 2000
	challenge, options := u.passkey(t)
	session := u.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 200, "").text("token")
	k := u.newAuthenticator("webauthn_fido")
	created := k.make(t, u.post(t, "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", session, nil).want(t, 200, "").field("options"))
	once("registration", func(int) answer { return k.finish(t, session, created) })
}

func TestARegistrationIsRefused(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	path := "/v1/users/me/mfa/webauthn/register?method_type="
	for name, spoil := range map[string]func(k *key, o map[string]any){
		"made on another site":                          func(k *key, _ map[string]any) { k.host = "evil.localhost" },
		"for another relying party":                     func(_ *key, o map[string]any) { o["rp"].(map[string]any)["id"] = "evil.localhost" },
		"for another challenge":                         func(_ *key, o map[string]any) { o["challenge"] = b64.EncodeToString(make([]byte, 32)) },
		"by a passkey that did not verify its user":     func(k *key, _ map[string]any) { k.auth.Options.UserNotVerified = true },
		"without the user being present":                func(k *key, _ map[string]any) { k.auth.Options.UserNotPresent = true },
		"that is backed up and cannot be":               func(k *key, _ map[string]any) { k.auth.Options.BackupState = true },
		"with a credential id of more than 1,023 bytes": func(k *key, _ map[string]any) { k.cred.ID = make([]byte, 1024) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, _ := tt.signIn(t)
			k := tt.newAuthenticator("webauthn_passkey")
			o := tt.post(t, path+k.method, token, nil).want(t, 200, "").field("options").(map[string]any)
			spoil(k, o)
			credential := k.make(t, o)
			k.host = tt.host
			k.finish(t, token, credential).want(t, 400, "invalid_credential")
		})
	}
	t.Run("that was answered already", func(t *testing.T) {
		t.Parallel()
		token, _ := tt.signIn(t)
		k := tt.newAuthenticator("webauthn_fido")
		credential := k.make(t, tt.post(t, path+k.method, token, nil).want(t, 200, "").field("options"))
		k.finish(t, token, credential).want(t, 200, "")
		k.finish(t, token, credential).want(t, 403, "reauthentication_required") // there is a factor now
	})
	t.Run("that nobody asked for, or for another kind of key", func(t *testing.T) {
		t.Parallel()
		token, _ := tt.signIn(t)
		k := tt.newAuthenticator("webauthn_fido")
		k.finish(t, token, map[string]any{}).want(t, 400, "invalid_credential")
		credential := k.make(t, tt.post(t, path+k.method, token, nil).want(t, 200, "").field("options"))
		k.method = "webauthn_passkey"
		k.finish(t, token, credential).want(t, 400, "invalid_credential")
		k.method = "webauthn_fido"
		other, _ := tt.signIn(t)
		k.finish(t, other, credential).want(t, 400, "invalid_credential") // somebody else's registration
		tt.post(t, path+k.method, token, nil).want(t, 200, "")
		k.finish(t, token, credential).want(t, 400, "invalid_credential") // replaced
	})
	t.Run("that has expired", func(t *testing.T) {
		t.Parallel()
		token, id := tt.signIn(t)
		k := tt.newAuthenticator("webauthn_fido")
		credential := k.make(t, tt.post(t, path+k.method, token, nil).want(t, 200, "").field("options"))
		tt.exec(t, `update challenges set expires_at = now() where user_id = $1`, id)
		k.finish(t, token, credential).want(t, 400, "invalid_credential")
	})
	t.Run("of a key that somebody has", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_fido")
		token, _ := tt.signIn(t)
		u.register(t, token).want(t, 400, "invalid_credential")
		challenge, options := u.asked(t)
		u.complete(t, challenge, u.sign(t, options, func(c *claim) { c.handle = nil })).want(t, 200, "")
	})
	t.Run("in a form that is no registration", func(t *testing.T) {
		t.Parallel()
		token, _ := tt.signIn(t)
		tt.post(t, path+"totp", token, nil).wantFields(t, "method_type")
		tt.post(t, "/v1/users/me/mfa/webauthn/register", token, nil).wantFields(t, "method_type")
		tt.post(t, "/v1/users/me/mfa/webauthn/register/complete", token, map[string]any{"credential": "x", "device_name": "a\nb", "method_type": "totp"}).
			wantFields(t, "credential,device_name,method_type")
		tt.post(t, path+"webauthn_fido", "", nil).want(t, 401, "unauthenticated")
	})
	t.Run("when it is the 21st", func(t *testing.T) {
		t.Parallel()
		u := tt.keyedUser(t, "webauthn_passkey")
		challenge, options := u.passkey(t)
		token := u.completePasskey(t, challenge, u.sign(t, options, nil)).want(t, 200, "").text("token")
		for range 18 {
			tt.newAuthenticator("webauthn_fido").register(t, token).want(t, 200, "")
		}
		last := tt.newAuthenticator("webauthn_fido")
		credential := last.make(t, tt.post(t, path+last.method, token, nil).want(t, 200, "").field("options"))
		tt.exec(t, `insert into factors (id, user_id, method_type, device_name, created_at, confirmed_at, credential_id, credential, rp_id)
			select gen_random_uuid(), user_id, method_type, device_name, created_at, confirmed_at, 'x', credential, rp_id from factors where user_id = $1 limit 1`, u.id)
		last.finish(t, token, credential).want(t, 409, "too_many_factors")
		tt.post(t, path+last.method, token, nil).want(t, 409, "too_many_factors")
	})
}

func TestTheFirstKeyIsEnrolledBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.demandMFA(t)
	const path = "/v1/auth/mfa/enroll-via-challenge/webauthn/"
	begin := func(challenge, method string) answer {
		return tt.post(t, path+"begin", "", map[string]any{"challenge_id": challenge, "method_type": method})
	}
	finish := func(challenge string, credential any) answer {
		return tt.post(t, path+"complete", "", map[string]any{"challenge_id": challenge, "credential": credential, "device_name": "Laptop"})
	}
	owed := func(email string) string {
		a := tt.login(t, email, goodPassword).want(t, 200, "")
		if a.field("enrollment_required") != true {
			t.Fatalf("not an enrolment answer: %s", a.body)
		}
		return a.text("challenge_id")
	}
	for method, amr := range map[string]string{"webauthn_passkey": `["pwd","hwk","user","mfa"]`, "webauthn_fido": `["pwd","hwk","user","mfa"]`} {
		email, _ := tt.newUser(t)
		first, second := owed(email), owed(email)
		tt.begin(t, first).want(t, 401, "challenge_expired") // an enrolment is no login
		finish(first, map[string]any{}).want(t, 400, "invalid_credential")
		k, late := tt.newAuthenticator(method), tt.newAuthenticator(method)
		credential := k.make(t, begin(first, method).want(t, 200, "").field("options"))
		lateCredential := late.make(t, begin(second, method).want(t, 200, "").field("options"))
		a := finish(first, credential).want(t, 200, "")
		if codes, _ := a.field("backup_codes").([]any); len(codes) != 10 {
			t.Errorf("backup codes: %s", a.body)
		}
		wantClaims(t, a.text("token"), amr, "aal2")
		finish(first, credential).want(t, 401, "challenge_expired")
		finish(second, lateCredential).want(t, 409, "already_enrolled") // checked again when it is confirmed
		begin(second, method).want(t, 409, "already_enrolled")
		u := keyed{k, email, ""}
		challenge, options := u.asked(t)
		u.complete(t, challenge, u.sign(t, options, nil)).want(t, 200, "")
	}
}

func TestAStepUpByKey(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	weak := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	k := tt.newAuthenticator("webauthn_fido")
	k.register(t, weak).want(t, 200, "")
	tt.post(t, "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", weak, nil).want(t, 403, "reauthentication_required")
	challenge := tt.post(t, "/v1/auth/step-up", weak, nil).want(t, 200, "").text("challenge_id")
	options := tt.begin(t, challenge).want(t, 200, "").field("options")
	strong := tt.complete(t, challenge, k.sign(t, options, nil)).want(t, 200, "").text("token")
	wantClaims(t, strong, `["pwd","hwk","user","mfa"]`, "aal2")
	if claims(t, strong)["sid"] != claims(t, weak)["sid"] {
		t.Error("another session")
	}
	tt.newAuthenticator("webauthn_passkey").register(t, strong).want(t, 200, "")
}

func TestKeysAreGoodOnAllHostsOfTheirTenant(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	other := uniqueName() + ".localhost"
	claimed := tt.at(t, "POST", "/v1/domains", request{key: tt.key, body: map[string]any{"domain": other, "uses": []string{"host"}}}).want(t, 201, "")
	onOther := func(c *claim) { c.origin = tt.origin(other) }

	challenge, options := tt.passkey(t)
	tt.completePasskey(t, challenge, u.sign(t, options, onOther)).want(t, 401, "invalid_credential") // claimed is not proved
	tt.at(t, "POST", "/v1/domains/"+claimed.text("id")+"/verify", request{key: tt.key}).want(t, 200, "")
	var a answer
	eventually(t, 20*time.Second, "the other host is heard of", func() bool {
		a = tt.do(t, request{method: "GET", host: tt.host, path: "/.well-known/webauthn"}).want(t, 200, "")
		return strings.TrimSpace(string(a.body)) == `{"origins":["`+tt.origin(other)+`"]}`
	})
	if a.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("related origins %s, %s", a.body, a.header.Get("Cache-Control"))
	}
	tt.do(t, request{method: "GET", path: "/.well-known/webauthn"}).want(t, 404, "not_found")

	begun := tt.do(t, request{method: "POST", host: other, path: "/v1/auth/passkey/begin"}).want(t, 200, "")
	if begun.text("options.rpId") != tt.host {
		t.Errorf("rp id %s", begun.text("options.rpId"))
	}
	tt.do(t, request{method: "POST", host: other, path: "/v1/auth/passkey/complete", body: map[string]any{"challenge_id": begun.text("challenge_id"),
		"credential": u.sign(t, begun.field("options"), onOther)}}).want(t, 200, "")

	// The tenant gives the name up that the key was made for: the key says so, and works again once the name is back.
	var first string
	for _, d := range tt.at(t, "GET", "/v1/domains", request{key: tt.key}).want(t, 200, "").data(t) {
		if d["domain"] == tt.host {
			first = d["id"].(string)
		}
	}
	tt.at(t, "DELETE", "/v1/domains/"+first, request{key: tt.key}).want(t, 204, "")
	moved := tt
	moved.host = other
	challenge = moved.login(t, u.email, goodPassword).want(t, 200, "").text("challenge_id")
	eventually(t, 20*time.Second, "the name is heard to be gone", func() bool { return moved.begin(t, challenge).status == 409 })
	moved.begin(t, challenge).want(t, 409, "no_factor")
	back := moved.at(t, "POST", "/v1/domains", request{key: tt.key, body: map[string]any{"domain": tt.host, "uses": []string{"host"}}}).want(t, 201, "")
	moved.at(t, "POST", "/v1/domains/"+back.text("id")+"/verify", request{key: tt.key}).want(t, 200, "")
	eventually(t, 20*time.Second, "the name is heard to be back", func() bool { return moved.begin(t, challenge).status == 200 })
	options = moved.begin(t, challenge).want(t, 200, "").field("options")
	if options.(map[string]any)["rpId"] != tt.host {
		t.Errorf("rp id %v", options)
	}
	moved.complete(t, challenge, u.sign(t, options, onOther)).want(t, 200, "")
}

func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	k := tt.newAuthenticator("webauthn_fido")
	k.cred.Counter = 9
	u := tt.keyedWith(t, k)
	challenge, options := u.asked(t)
	u.complete(t, challenge, u.sign(t, options, func(c *claim) { c.counter = 9 })).want(t, 401, "invalid_credential")
	found := false
	for line := range strings.Lines(tt.logs.String()) {
		if strings.Contains(line, "signature counter went from 9 to 9") && strings.Contains(line, u.id) && strings.Contains(line, tt.id) {
			found = true
		}
	}
	if !found {
		t.Error("a counter that stands still is not in the log")
	}
}
