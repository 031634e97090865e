package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// home is what somebody finds who types the tenant's address.
func (v *visit) home() error {
	if in, err := v.signedIn(); err != nil || in {
		if err != nil {
			return err
		}
		return v.redirect("/account")
	}
	return v.redirect("/signin")
}

// passkeyOffer is what the browser is asked to sign in with a passkey.
type passkeyOffer struct {
	Challenge string          `json:"challenge_id"`
	Options   json.RawMessage `json:"options"`
}

// identifierPage asks who somebody is, or for a passkey, which says it itself.
type identifierPage struct {
	Email   string
	Passkey *passkeyOffer
}

// askIdentifier begins a sign-in. Whoever is signed in already goes on at once, unless the application wants them asked.
func (v *visit) askIdentifier() error {
	if v.r.URL.Query().Get("prompt") != "login" {
		in, err := v.signedIn()
		if err != nil {
			return err
		}
		if in {
			return v.onwards()
		}
	}
	page, err := v.identifierPage(v.flow.Email)
	if err != nil {
		return err
	}
	return v.show("signin", page)
}

func (v *visit) identifierPage(email string) (p identifierPage, err error) {
	p.Email = email
	var o passkeyOffer
	v.access = "" // nobody's yet
	switch err := v.call(http.MethodPost, "/v1/auth/passkey/begin", nil, &o); {
	case err == nil:
		p.Passkey = &o
	case refused(err, "method_not_offered") == nil:
		return p, err
	}
	return p, nil
}

// identify takes the address and asks for the password next, whoever that is: who has an account is not to be learnt here.
func (v *visit) identify() error {
	email := strings.TrimSpace(v.form("email"))
	if !strings.Contains(email, "@") || len(email) > 254 {
		bad := &refusal{Status: http.StatusBadRequest, Code: "invalid_email"}
		return v.backTo(v.URL("/signin"), flow{Email: email[:min(len(email), 254)]}, bad)
	}
	if err := v.keep(flow{Email: email}); err != nil {
		return err
	}
	return v.redirect("/signin/password")
}

// askPassword is the second page.
func (v *visit) askPassword() error {
	if v.flow.Email == "" {
		return v.redirect("/signin")
	}
	return v.show("password", v.flow.Email)
}

// signIn tries address and password. The address is the one the page showed, whatever another tab has begun since.
func (v *visit) signIn() error {
	email := v.form("email")
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/login", map[string]string{"email": email, "password": v.form("password")}, &a)
	switch e := refused(err); {
	case e == nil:
	case e.Code == "email_not_verified":
		return v.render(e.Status, "unverified", view{visit: v, Data: email})
	case e.Code == "policy_denied":
		return err
	default:
		return v.backTo(v.URL("/signin/password"), flow{Email: email}, err)
	}
	if err != nil {
		return err
	}
	return v.goesOn(a, email)
}

// signInByPasskey takes what the browser's authenticator signed.
func (v *visit) signInByPasskey() error {
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/passkey/complete", map[string]any{"challenge_id": v.form("challenge"), "credential": credential(v.form("credential"))}, &a)
	if refused(err, "policy_denied") != nil {
		return err
	}
	if err != nil {
		return v.backTo(v.URL("/signin"), flow{Email: v.flow.Email}, err)
	}
	return v.goesOn(a, "")
}

// credential is what a page's script put into a field; the API judges it. What is no JSON is sent as the text it is.
func credential(field string) any {
	if json.Valid([]byte(field)) {
		return json.RawMessage(field)
	}
	return field
}

// loginAnswer is the answer of every operation that goes on with a login: what is owed, or the tokens.
type loginAnswer struct {
	grant
	MFARequired        bool     `json:"mfa_required"`
	EnrollmentRequired bool     `json:"enrollment_required"`
	Challenge          string   `json:"challenge_id"`
	Methods            []string `json:"methods"`
}

// goesOn leads to the next page of a sign-in: what is still owed, what is to be shown once, or where they wanted to go.
func (v *visit) goesOn(a loginAnswer, email string) error {
	switch {
	case a.MFARequired:
		if err := v.keep(flow{Email: email, Challenge: a.Challenge, Methods: a.Methods}); err != nil {
			return err
		}
		return v.redirect("/signin/factor")
	case a.EnrollmentRequired:
		if err := v.keep(flow{Email: email, Challenge: a.Challenge, Methods: a.Methods, Enrolment: true}); err != nil {
			return err
		}
		return v.redirect("/signin/enrol")
	}
	v.setSession(a.grant)
	if len(a.BackupCodes) > 0 || len(a.Notices) > 0 || a.CodesLeft != nil && *a.CodesLeft < fewCodes {
		f := flow{Codes: a.BackupCodes, Notices: a.Notices}
		if a.CodesLeft != nil {
			f.Methods = []string{"few_codes"}
		}
		if err := v.keep(f); err != nil {
			return err
		}
		return v.redirect("/signin/done")
	}
	v.drop()
	return v.onwards()
}

// fewCodes is from how many backup codes on somebody is told to make new ones.
const fewCodes = 4

// finished shows what a sign-in had to say before it goes on.
func (v *visit) finished() error {
	if len(v.flow.Codes)+len(v.flow.Notices)+len(v.flow.Methods) == 0 {
		return v.onwards()
	}
	return v.show("finished", v.flow)
}

// goOn goes on from there.
func (v *visit) goOn() error {
	v.drop()
	if in, err := v.signedIn(); err != nil || !in {
		if err != nil {
			return err
		}
		return v.redirect("/signin")
	}
	return v.onwards()
}

// onwards leads whoever is signed in to where they wanted to go.
func (v *visit) onwards() error {
	if v.errand.ReturnURL != "" {
		return v.backToApplication()
	}
	next := v.errand.Next
	if next == "" {
		next = "/account"
	}
	v.to(v.base + next)
	return nil
}

// backToApplication leads back to the application with a code, which is all that is in the address.
func (v *visit) backToApplication() error {
	var made struct {
		Code string `json:"return_code"`
	}
	err := v.call(http.MethodPost, "/v1/auth/code", map[string]string{"return_url": v.errand.ReturnURL, "code_challenge": v.errand.Challenge}, &made)
	if refused(err, "unauthenticated", "invalid_token") != nil { // the session has ended meanwhile
		v.dropCookie("session")
		v.to(v.With("/signin", "prompt", "login"))
		return nil
	}
	if refused(err, "reauthentication_required") != nil {
		v.to(v.With("/signin", "prompt", "login"))
		return nil
	}
	if err != nil {
		return err
	}
	address, err := v.errand.back(url.Values{"code": {made.Code}})
	if err != nil {
		return err
	}
	v.to(address)
	return nil
}

// askSignOut asks before: a link that signs out could be put anywhere.
func (v *visit) askSignOut() error { return v.show("signout", nil) }

// signOut ends the session, or all of them. A session that has ended already is signed out of.
func (v *visit) signOut() error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	if in {
		path := "/v1/auth/logout"
		if v.form("everywhere") != "" {
			path = "/v1/auth/logout-all"
		}
		if err := v.call(http.MethodPost, path, nil, nil); err != nil && refused(err, "unauthenticated", "invalid_token", "invalid_credential") == nil {
			return err
		}
	}
	v.dropCookie("session")
	v.dropCookie("flow")
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return v.redirect("/signed-out")
}

// signedOut says so.
func (v *visit) signedOut() error { return v.show("signed-out", nil) }

// needs is a page for whoever is signed in; all others sign in first and are led back.
func needs(h func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		in, err := v.signedIn()
		if err != nil {
			return err
		}
		if !in {
			return v.toSignIn(v.r.URL.Path)
		}
		return h(v)
	}
}

// toSignIn leads to the sign-in, and from there to a page of ours.
func (v *visit) toSignIn(next string) error {
	v.errand = errand{}
	if ours.MatchString(next) {
		v.errand.Next = next
	}
	return v.redirect("/signin")
}
