package pages

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// signingKey is a key that signs a tenant's tokens, will, or did.
type signingKey struct {
	KID       string     `json:"kid"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	Since     time.Time  `json:"since"`
	NextAt    *time.Time `json:"next_step_at"`
	CreatedAt time.Time  `json:"created_at"`
}

// Revocable reports whether anybody trusts the key yet.
func (k signingKey) Revocable() bool {
	return slices.Contains([]string{"published", "active", "retiring"}, k.State)
}

// signingKeysPage lists a tenant's keys.
type signingKeysPage struct {
	Tenant     tenantRow
	Algorithms []string // that the next one may have
	listPage[signingKey]
}

func (v *visit) signingKeys() error {
	page := signingKeysPage{Algorithms: []string{"ES256", "EdDSA", "RS256"}}
	var err error
	if page.Tenant, err = v.governed(); err != nil {
		return err
	}
	if page.listPage, err = list[signingKey](v, v.named("/keys"), nil); err != nil {
		return err
	}
	return v.show("platform-keys", page)
}

func (v *visit) rotateSigningKey() error {
	err := v.call(http.MethodPost, v.named("/keys/rotate"), map[string]any{"algorithm": orNull(v.form("algorithm"))}, nil)
	return v.afterwards(err, "/keys", "platform.done.rotated")
}

// revocationPage asks whether a key is to be revoked.
type revocationPage struct {
	Tenant tenantRow
	KID    string
}

func (v *visit) askRevocation() error {
	t, err := v.governed()
	if err != nil {
		return err
	}
	kid := v.r.URL.Query().Get("kid")
	if kid == "" {
		v.to(v.Page(t.At("/keys")))
		return nil
	}
	return v.show("platform-revoke", revocationPage{t, kid})
}

func (v *visit) revokeSigningKey() error {
	err := v.call(http.MethodPost, v.named("/keys/"+url.PathEscape(v.form("kid"))+"/revoke"), nil, nil)
	return v.afterwards(err, "/keys", "platform.done.revoked")
}
