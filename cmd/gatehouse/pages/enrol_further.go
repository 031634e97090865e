package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// further is the enrolment of whoever is signed in.
type further struct{}

func (further) at() string { return "/account/security/add" }

func (further) away(v *visit) (bool, error) {
	in, err := v.signedIn()
	if err == nil && !in {
		err = v.toSignIn("/account/security")
	}
	return !in, err
}

func (further) methods(v *visit) []string { return v.set.MFA.Enrollable() }

func (further) beginApp(v *visit) (a app, err error) {
	err = v.call(http.MethodPost, "/v1/users/me/mfa/totp", nil, &a)
	return a, err
}

func (further) finishApp(v *visit, code string) error {
	var made madeCodes
	if err := v.call(http.MethodPost, "/v1/users/me/mfa/totp/verify", map[string]string{"code": code}, &made); err != nil {
		return err
	}
	return v.added(made)
}

func (further) beginKey(v *visit, method string) (json.RawMessage, error) {
	var o keyOptions
	err := v.post("/v1/users/me/mfa/webauthn/register", url.Values{"method_type": {method}}, &o)
	return o.Options, err
}

func (further) finishKey(v *visit, method, device string, credential any) error {
	var made madeCodes
	body := map[string]any{"credential": credential, "device_name": orNull(device), "method_type": method}
	if err := v.call(http.MethodPost, "/v1/users/me/mfa/webauthn/register/complete", body, &made); err != nil {
		return err
	}
	return v.added(made)
}

// madeCodes are backup codes, where new ones were made.
type madeCodes struct {
	Codes []string `json:"codes"`
}

// added shows the codes that came with a first factor, or the list it is in.
func (v *visit) added(made madeCodes) error {
	if len(made.Codes) == 0 {
		v.drop()
		return v.done("/account/security", "done.factor_added")
	}
	if err := v.keepSecret(flow{Codes: made.Codes}); err != nil {
		return err
	}
	return v.done("/account/security/codes", "done.factor_added")
}
