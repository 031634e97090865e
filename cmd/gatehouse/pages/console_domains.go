package pages

import (
	"net/http"
	"net/url"
	"time"
)

// domain is one that the tenant claims.
type domain struct {
	ID           string     `json:"id"`
	Domain       string     `json:"domain"`
	Uses         []string   `json:"uses"`
	Verified     bool       `json:"verified"`
	DNSRecord    string     `json:"dns_record"`
	DNSValue     string     `json:"dns_value"`
	Primary      bool       `json:"primary"`
	State        string     `json:"state"`
	CheckedAt    *time.Time `json:"checked_at"`
	FailingSince *time.Time `json:"failing_since"`
}

// domainsPage lists them, with a form to add one.
type domainsPage struct {
	listPage[domain]

	Domain string
	Uses   []string
}

func (v *visit) domainsPage() (p domainsPage, err error) {
	p.Uses = []string{"host"}
	p.listPage, err = list[domain](v, "/v1/domains", nil)
	return p, err
}

func (v *visit) domains() error {
	page, err := v.domainsPage()
	if err != nil {
		return err
	}
	return v.show("console-domains", page)
}

func (v *visit) addDomain() error {
	err := v.call(http.MethodPost, "/v1/domains", map[string]any{"domain": v.form("domain"), "uses": orNone(v.r.PostForm["uses"])}, nil)
	if err == nil {
		return v.done("/console/domains", "done.domain_added")
	}
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/console/domains")
	}
	page, perr := v.domainsPage()
	if perr != nil {
		return perr
	}
	page.Domain, page.Uses = v.form("domain"), v.r.PostForm["uses"]
	return v.again(err, "console-domains", page)
}

// askActOnDomain asks before a domain is given up or made the primary one, which moves the issuer.
func (v *visit) askActOnDomain() error {
	d, ok, err := find(v, "/v1/domains", func(d domain) bool { return d.ID == v.one() })
	if err != nil {
		return err
	}
	do := v.r.URL.Query().Get("do")
	if !ok || do != "remove" && do != "primary" {
		return v.redirect("/console/domains")
	}
	return v.askSure("sure.domain_"+do, d.Domain, "/console/domains/act", "/console/domains", map[string]string{"id": d.ID, "do": do})
}

func (v *visit) actOnDomain() error {
	path, back := "/v1/domains/"+url.PathEscape(v.one()), v.Page("/console/domains")
	switch v.form("do") {
	case "remove":
		return v.acted(v.call(http.MethodDelete, path, nil, nil), back, "done.domain_removed")
	case "primary":
		return v.acted(v.call(http.MethodPost, path+"/primary", nil, nil), back, "done.domain_primary")
	case "verify":
		var a struct {
			Verified bool   `json:"verified"`
			Message  string `json:"message"`
		}
		if err := v.call(http.MethodPost, path+"/verify", nil, &a); err != nil || a.Verified {
			return v.acted(err, back, "done.domain_verified")
		}
		if err := v.says(message{Wrong: v.T("domains.not_yet") + " " + a.Message}); err != nil {
			return err
		}
		v.to(back)
		return nil
	}
	return notFound()
}
