package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// enrolment is a way to set up a second factor: by whoever owes one, before they are in, or by whoever is.
type enrolment interface {
	// at is where its pages are.
	at() string
	// away leads somebody away who has no business here, and reports whether it has.
	away(v *visit) (bool, error)
	methods(v *visit) []string
	beginApp(v *visit) (app, error)
	finishApp(v *visit, code string) error
	beginKey(v *visit, method string) (json.RawMessage, error)
	finishKey(v *visit, method, device string, credential any) error
}

// app is an authenticator app that is being set up.
type app struct {
	Secret string `json:"secret"`
	URI    string `json:"qr_uri"`
}

// mountEnrolment adds the pages of one.
func (p *Pages) mountEnrolment(at func(string, on), e enrolment) {
	do := func(h func(*visit, enrolment) error) func(*visit) error {
		return func(v *visit) error {
			if away, err := e.away(v); away || err != nil {
				return err
			}
			return h(v, e)
		}
	}
	at(e.at(), on{get: do((*visit).chooseFactor), post: do((*visit).beginFactor)})
	at(e.at()+"/app", on{get: do((*visit).showApp), post: do((*visit).proveApp)})
	at(e.at()+"/key", on{get: do((*visit).showKey), post: do((*visit).proveKey)})
}

// chooseFactorPage offers what can be set up.
type chooseFactorPage struct {
	Methods []string
	At      string
	Owed    bool
}

func (v *visit) chooseFactor(e enrolment) error {
	methods := slices.SortedStableFunc(slices.Values(e.methods(v)), func(a, b string) int { return strength(a) - strength(b) })
	return v.show("choose-factor", chooseFactorPage{methods, e.at(), v.flow.Enrolment})
}

// beginFactor begins with the one they chose. The secret of an app is made once, and shown as often as its page is.
func (v *visit) beginFactor(e enrolment) error {
	method := v.form("method")
	if strings.HasPrefix(method, "webauthn") {
		v.to(v.With(e.at()+"/key", "method", method))
		return nil
	}
	made, err := e.beginApp(v)
	if refused(err, "already_enrolled", "method_not_offered") != nil {
		return v.backTo(v.URL(e.at()), err)
	}
	if err != nil {
		return v.unlessOver(e, err)
	}
	f := v.flow
	f.Secret, f.URI = made.Secret, made.URI
	if err := v.keepSecret(f); err != nil { // bound to the session, where there is one
		return err
	}
	return v.redirect(e.at() + "/app")
}

// appPage shows a new secret, as a picture and to be typed.
type appPage struct {
	Secret, URI string
	Picture     string // data URI
	At          string
	Mark        string // see mark
}

func (v *visit) appPage(e enrolment) (appPage, error) {
	picture, err := qr(v.flow.URI)
	return appPage{spaced(v.flow.Secret), v.flow.URI, picture, e.at(), mark(v.flow.Challenge)}, err
}

func (v *visit) showApp(e enrolment) error {
	if v.flow.Secret == "" {
		return v.redirect(e.at())
	}
	if v.flow.Session != "" {
		if err := v.stillIn(); err != nil {
			return err
		}
	}
	page, err := v.appPage(e)
	if err != nil {
		return err
	}
	return v.show("app", page)
}

func (v *visit) proveApp(e enrolment) error {
	if v.flow.Secret == "" {
		return v.redirect(e.at())
	}
	err := e.finishApp(v, typedCode(v.form("code")))
	if refused(err, "invalid_code", "invalid_request", "rate_limited") == nil {
		return v.unlessOver(e, err)
	}
	return v.backTo(v.URL(e.at()+"/app"), err)
}

// keyPage has the browser make a credential.
type keyPage struct {
	Method  string
	Options json.RawMessage
	At      string
	Mark    string // see mark
}

func (v *visit) showKey(e enrolment) error {
	if v.foreign() {
		return v.redirect(e.at())
	}
	page, err := v.keyPage(e, v.r.URL.Query().Get("method"))
	if err != nil {
		return v.unlessOver(e, err)
	}
	return v.show("key", page)
}

func (v *visit) keyPage(e enrolment, method string) (p keyPage, err error) {
	if !slices.Contains(e.methods(v), method) || !strings.HasPrefix(method, "webauthn") {
		return p, &refusal{Status: http.StatusNotFound, Code: "not_found"}
	}
	p = keyPage{Method: method, At: e.at(), Mark: mark(v.flow.Challenge)}
	p.Options, err = e.beginKey(v, method)
	return p, err
}

func (v *visit) proveKey(e enrolment) error {
	method := v.form("method")
	err := e.finishKey(v, method, strings.TrimSpace(v.form("device")), credential(v.form("credential")))
	if refused(err, "invalid_credential", "invalid_request", "rate_limited") == nil {
		return v.unlessOver(e, err)
	}
	return v.backTo(v.With(e.at()+"/key", "method", method), err)
}

// unlessOver leads on where what was under way is over, or has to be proved again first; any other error stays one.
func (v *visit) unlessOver(e enrolment, err error) error {
	if refused(err, "challenge_expired") != nil {
		return v.redirect("/signin/over")
	}
	return v.unlessAgain(err, e.at())
}

// owed is the enrolment of whoever cannot sign in without.
type owed struct{}

func (owed) at() string { return "/signin/enrol" }

func (owed) away(v *visit) (bool, error) {
	other := v.form("mark") != "" && v.form("mark") != mark(v.flow.Challenge) // the form is of another sign-in
	if v.flow.Challenge != "" && v.flow.Enrolment && !other {
		return false, nil
	}
	return true, v.redirect("/signin/over")
}

func (owed) methods(v *visit) []string { return v.flow.Methods }

func (owed) beginApp(v *visit) (a app, err error) {
	err = v.call(http.MethodPost, "/v1/auth/mfa/enroll-via-challenge", map[string]string{"challenge_id": v.flow.Challenge, "action": "generate"}, &a)
	return a, err
}

func (owed) finishApp(v *visit, code string) error {
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/mfa/enroll-via-challenge", map[string]string{"challenge_id": v.flow.Challenge, "action": "verify", "code": code}, &a)
	if err != nil {
		return err
	}
	return v.goesOn(a, v.flow.Email)
}

func (owed) beginKey(v *visit, method string) (json.RawMessage, error) {
	var o keyOptions
	err := v.call(http.MethodPost, "/v1/auth/mfa/enroll-via-challenge/webauthn/begin", map[string]string{"challenge_id": v.flow.Challenge, "method_type": method}, &o)
	return o.Options, err
}

func (owed) finishKey(v *visit, _, device string, credential any) error {
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/mfa/enroll-via-challenge/webauthn/complete",
		map[string]any{"challenge_id": v.flow.Challenge, "credential": credential, "device_name": orNull(device)}, &a)
	if err != nil {
		return err
	}
	return v.goesOn(a, v.flow.Email)
}

type keyOptions struct {
	Options json.RawMessage `json:"options"`
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

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
