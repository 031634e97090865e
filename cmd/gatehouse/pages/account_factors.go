package pages

import (
	"net/http"
	"net/url"
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
	if err = v.get("/v1/users/me/mfa", nil, &p); err != nil {
		return p, err
	}
	confirmed := p.Methods[:0]
	for _, f := range p.Methods {
		if f.Verified {
			confirmed = append(confirmed, f)
		}
	}
	p.Methods = confirmed
	return p, nil
}

func (v *visit) factors() error {
	page, err := v.factorsPage()
	if err != nil {
		return err
	}
	return v.show("factors", page)
}

// removeFactor takes one away.
func (v *visit) removeFactor() error {
	err := v.call(http.MethodDelete, "/v1/users/me/mfa/"+url.PathEscape(v.form("id")), nil, nil)
	switch {
	case refused(err, "reauthentication_required") != nil:
		return v.reauthenticate("/account/security")
	case refused(err, "last_factor") != nil:
		page, perr := v.factorsPage()
		if perr != nil {
			return perr
		}
		return v.again(err, "factors", page)
	case err != nil && refused(err, "not_found") == nil: // removed already: sent twice
		return err
	}
	return v.done("/account/security", "done.factor_removed")
}

// codes shows backup codes that were just made.
func (v *visit) codes() error {
	if len(v.flow.Codes) == 0 {
		v.to(v.Page("/account/security"))
		return nil
	}
	return v.show("codes", v.flow)
}

// newCodes replaces them.
func (v *visit) newCodes() error {
	var made madeCodes
	err := v.call(http.MethodPost, "/v1/users/me/mfa/backup-codes", nil, &made)
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/account/security")
	}
	if err != nil {
		return err
	}
	if err := v.keep(flow{Codes: made.Codes, Said: "done.codes_made"}); err != nil {
		return err
	}
	v.to(v.Page("/account/security/codes"))
	return nil
}

// downloadCodes gives the codes that a page shows as a file.
func (v *visit) downloadCodes() error {
	if len(v.flow.Codes) == 0 {
		return &refusal{Status: http.StatusNotFound, Code: "not_found"}
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="backup-codes.txt"`)
	_, _ = v.w.Write([]byte(v.Name() + "\n" + v.T("codes.heading") + "\n\n" + strings.Join(v.flow.Codes, "\n") + "\n")) //nolint:gosec // as text, and nosniff
	return nil
}
