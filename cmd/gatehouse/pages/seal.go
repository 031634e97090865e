package pages

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// longestCookie is what browsers take of a cookie (RFC 6265bis section 5.6), less its name and attributes. A longer one they
// drop without a word.
const longestCookie = 3900

var errLong = errors.New("pages: more than a browser keeps")

// sealed is what is put into a cookie: what it holds, and until when.
type sealed[T any] struct {
	Value T     `json:"v"`
	Until int64 `json:"t"` // Unix seconds
}

func (v *visit) aead() (cipher.AEAD, error) {
	key, err := v.p.flowKeys.Of(v.r.Context(), v.tenant)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

// purpose binds a sealed value to its cookie and tenant.
func (v *visit) purpose(cookie string) []byte { return []byte(cookie + " " + v.tenant.ID.String()) }

// sealCookie has the browser keep a value that neither it nor anybody else can read or change.
func sealCookie[T any](v *visit, cookie string, value T, life time.Duration) error {
	aead, err := v.aead()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(sealed[T]{value, v.p.Now().Add(life).Unix()})
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand since Go 1.24)
	text := base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, v.purpose(cookie)))
	if len(text) > longestCookie {
		return errLong
	}
	v.setCookie(cookie, text, life)
	return nil
}

// openCookie reads what sealCookie wrote. What is too old, of another tenant, or not ours is the zero value.
func openCookie[T any](v *visit, cookie string) (T, error) {
	var none T
	text := v.cookie(cookie)
	if text == "" {
		return none, nil
	}
	aead, err := v.aead()
	if err != nil {
		return none, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < aead.NonceSize() {
		return none, nil //nolint:nilerr // not ours
	}
	var found sealed[T]
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], v.purpose(cookie))
	if err != nil || json.Unmarshal(plain, &found) != nil || v.p.Now().Unix() >= found.Until {
		return none, nil //nolint:nilerr // not ours, or over
	}
	return found.Value, nil
}
