package pages

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// flow is what is under way in a browser: a sign-in between its pages, a factor that is being set up, what is to be shown
// once. It is sealed with a key of the tenant and kept by the browser; we keep nothing.
type flow struct {
	Email     string   `json:"e,omitempty"`
	Challenge string   `json:"c,omitempty"` // what is still owed, a secret
	Methods   []string `json:"m,omitempty"` // to pay it with
	Enrolment bool     `json:"n,omitempty"` // it is a factor to be set up
	Secret    string   `json:"s,omitempty"` // of an authenticator app that is being set up
	URI       string   `json:"u,omitempty"` // the same for its camera
	Codes     []string `json:"b,omitempty"` // backup codes, to be shown once
	Notices   []string `json:"o,omitempty"` // of the rules that let them in
	Said      string   `json:"d,omitempty"` // what was done, to be said on the next page; a key of the catalogue
	Wrong     string   `json:"w,omitempty"` // what went wrong, to be said on the next page; a sentence
	Raw       string   `json:"k,omitempty"` // an API key, to be shown once
	Until     int64    `json:"t"`           // Unix seconds
}

// flowLife is a little more than the life of a challenge; whoever comes later begins again.
const flowLife = 10 * time.Minute

// longestFlow is what browsers take of a cookie (RFC 6265bis section 5.6), less its name and attributes.
const longestFlow = 3800

func (v *visit) flowAEAD() (cipher.AEAD, error) {
	key, err := v.flowKeys.Of(v.r.Context(), v.tenant)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

// readFlow opens what the browser brought. What is too old, of another tenant, or not ours is no flow.
func (v *visit) readFlow() (f flow, err error) {
	text := v.cookie("flow")
	if text == "" {
		return f, nil
	}
	aead, err := v.flowAEAD()
	if err != nil {
		return f, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < aead.NonceSize() {
		return f, nil //nolint:nilerr // not ours
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte("flow "+v.tenant.ID.String()))
	if err != nil || json.Unmarshal(plain, &f) != nil || v.Now().Unix() >= f.Until {
		return flow{}, nil //nolint:nilerr // not ours, or over
	}
	return f, nil
}

// keep has the browser keep a flow.
func (v *visit) keep(f flow) error {
	aead, err := v.flowAEAD()
	if err != nil {
		return err
	}
	f.Until = v.Now().Add(flowLife).Unix()
	var text string
	for {
		plain, err := json.Marshal(f) //nolint:gosec // to be sealed
		if err != nil {
			return err
		}
		nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
		_, _ = rand.Read(nonce) // never fails (crypto/rand since Go 1.24)
		text = base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, []byte("flow "+v.tenant.ID.String())))
		if len(text) <= longestFlow || len(f.Notices) == 0 {
			break
		}
		f.Notices = f.Notices[:len(f.Notices)-1] // the only part that others write at any length
	}
	v.flow = f
	v.setCookie("flow", text, flowLife)
	return nil
}

// drop ends the flow.
func (v *visit) drop() {
	v.flow = flow{}
	v.dropCookie("flow")
}
