package pages

import (
	"net/http"
	"net/url"
	"time"
)

// apiKey is one of the tenant's.
type apiKey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// keysPage lists them, with a form to make one.
type keysPage struct {
	listPage[apiKey]

	Named, Expires string
	Scopes         []string
	All            []string // scopes that there are
}

var (
	tenantScopes   = []string{"users:read", "users:write", "settings:read", "settings:write", "domains:write", "policies:write", "keys:write", "audit:read"}
	platformScopes = []string{"tenants:read", "tenants:write"}
)

func (v *visit) keysPage() (p keysPage, err error) {
	p.All = tenantScopes
	if v.tenant.Master {
		p.All = append(p.All[:len(p.All):len(p.All)], platformScopes...)
	}
	p.listPage, err = list[apiKey](v, "/v1/api-keys", nil)
	return p, err
}

func (v *visit) keys() error {
	page, err := v.keysPage()
	if err != nil {
		return err
	}
	return v.show("console-keys", page)
}

func (v *visit) addKey() error {
	body := map[string]any{"name": v.form("name"), "scopes": orNone(v.r.PostForm["scopes"])}
	if day := v.form("expires"); day != "" {
		body["expires_at"] = day + "T00:00:00Z" // what is no day is judged as no time
	}
	if _, err := v.aead(); err != nil { // a key that could not be shown would be lost
		return err
	}
	var made struct {
		Raw string `json:"raw_key"`
	}
	err := v.call(http.MethodPost, "/v1/api-keys", body, &made)
	if err == nil {
		if err := v.keepSecret(flow{Raw: made.Raw}); err != nil {
			return err
		}
		return v.redirect("/console/keys/made")
	}
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/console/keys")
	}
	page, perr := v.keysPage()
	if perr != nil {
		return perr
	}
	page.Named, page.Expires, page.Scopes = v.form("name"), v.form("expires"), v.r.PostForm["scopes"]
	if e := refused(err); e != nil && e.Details.Fields["expires_at"] != "" {
		e.Details.Fields["expires"] = e.Details.Fields["expires_at"]
	}
	return v.again(err, "console-keys", page)
}

// madeKey shows a key this once.
func (v *visit) madeKey() error {
	if v.flow.Raw == "" {
		return v.redirect("/console/keys")
	}
	if err := v.stillIn(); err != nil {
		return err
	}
	return v.show("console-key-made", v.flow.Raw)
}

// keptKey has the browser forget it.
func (v *visit) keptKey() error {
	v.drop()
	return v.redirect("/console/keys")
}

func (v *visit) askRevokeKey() error {
	k, ok, err := find(v, "/v1/api-keys", func(k apiKey) bool { return k.ID == v.one() })
	if err != nil {
		return err
	}
	if !ok { // revoked already
		return v.redirect("/console/keys")
	}
	return v.askSure("sure.key_revoke", k.Name, "/console/keys/revoke", "/console/keys", map[string]string{"id": k.ID})
}

func (v *visit) revokeKey() error {
	err := v.call(http.MethodDelete, "/v1/api-keys/"+url.PathEscape(v.one()), nil, nil)
	return v.acted(err, v.Page("/console/keys"), "done.key_revoked")
}
