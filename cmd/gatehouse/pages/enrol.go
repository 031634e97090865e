package pages

import (
	"encoding/json"
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
		return p, notFound()
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

type keyOptions struct {
	Options json.RawMessage `json:"options"`
}
