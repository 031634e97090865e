package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// factor is a second factor of somebody's.
type factor struct {
	ID         string     `json:"id"`
	Method     string     `json:"method_type"`
	Device     string     `json:"device_name"`
	Verified   bool       `json:"verified"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// factorsPage lists them.
type factorsPage struct {
	Methods []factor `json:"methods"`
	Offered bool     // there is something to set up
}

func (v *visit) factorsPage() (p factorsPage, err error) {
	p.Offered = len(v.set.MFA.Enrollable()) > 0
	err = v.get("/v1/users/me/mfa", nil, &p)
	p.Methods = slices.DeleteFunc(p.Methods, func(f factor) bool { return !f.Verified })
	return p, err
}

func (v *visit) factors() error {
	page, err := v.factorsPage()
	if err != nil {
		return err
	}
	return v.show("factors", page)
}

// askRemoveFactor asks before: it cannot be taken back.
func (v *visit) askRemoveFactor() error {
	page, err := v.factorsPage()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(page.Methods, func(f factor) bool { return f.ID == v.r.URL.Query().Get("id") })
	if i < 0 { // removed already
		return v.redirect("/account/security")
	}
	return v.show("remove-factor", page.Methods[i])
}

// removeFactor takes one away.
func (v *visit) removeFactor() error {
	err := v.call(http.MethodDelete, "/v1/users/me/mfa/"+url.PathEscape(v.form("id")), nil, nil)
	switch {
	case err == nil:
		return v.done("/account/security", "done.factor_removed")
	case refused(err, "reauthentication_required") != nil:
		return v.reauthenticate("/account/security")
	}
	return v.backTo(v.Page("/account/security"), gone(err))
}

// codes shows backup codes that were just made.
func (v *visit) codes() error {
	if len(v.flow.Codes) == 0 {
		return v.redirect("/account/security")
	}
	if err := v.stillIn(); err != nil {
		return err
	}
	return v.show("codes", v.flow)
}

// keptCodes has the browser forget them.
func (v *visit) keptCodes() error {
	v.drop()
	return v.redirect("/account/security")
}

// askNewCodes asks before: the old ones, which may be printed, are good for nothing afterwards.
func (v *visit) askNewCodes() error { return v.show("new-codes", nil) }

// newCodes replaces them.
func (v *visit) newCodes() error {
	var made madeCodes
	if err := v.call(http.MethodPost, "/v1/users/me/mfa/backup-codes", nil, &made); err != nil {
		if refused(err, "reauthentication_required") != nil {
			return v.reauthenticate("/account/security/new-codes")
		}
		return v.backTo(v.Page("/account/security"), err)
	}
	if err := v.keepSecret(flow{Codes: made.Codes}); err != nil {
		return err
	}
	return v.done("/account/security/codes", "done.codes_made")
}

// downloadCodes gives the codes that a page shows as a file.
func (v *visit) downloadCodes() error {
	if len(v.flow.Codes) == 0 {
		return notFound()
	}
	if err := v.stillIn(); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="backup-codes.txt"`)
	_, _ = v.w.Write([]byte(v.Name() + "\n" + v.T("codes.heading") + "\n\n" + strings.Join(v.flow.Codes, "\n") + "\n")) //nolint:gosec // as text, and nosniff
	return nil
}
