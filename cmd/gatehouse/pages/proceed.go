package pages

import (
	"net/http"
	"net/url"
	"time"
)

// loginAnswer is the answer of every operation that goes on with a login: what is owed, or the tokens.
type loginAnswer struct {
	grant

	MFARequired        bool     `json:"mfa_required"`
	EnrollmentRequired bool     `json:"enrollment_required"`
	Challenge          string   `json:"challenge_id"`
	Methods            []string `json:"methods"`
}

// fewCodes is from how many backup codes on somebody is told to make new ones.
const fewCodes = 4

// goesOn leads to the next page of a sign-in: what is still owed, what is to be shown once, or where they wanted to go.
func (v *visit) goesOn(a loginAnswer, email string) error {
	if a.MFARequired || a.EnrollmentRequired {
		if err := v.keep(flow{Email: email, Challenge: a.Challenge, Methods: a.Methods, Enrolment: a.EnrollmentRequired}); err != nil {
			return err
		}
		if a.EnrollmentRequired {
			return v.redirect("/signin/enrol")
		}
		return v.redirect("/signin/factor")
	}
	v.setSession(a.grant)
	shown := flow{Codes: a.BackupCodes, Notices: a.Notices, FewCodes: a.CodesLeft != nil && *a.CodesLeft < fewCodes, Setup: a.SetupRequired}
	if shown.toShow() {
		if err := v.keepSecret(shown); err != nil {
			return err
		}
		return v.redirect("/signin/done")
	}
	v.drop()
	return v.onwards()
}

// toShow reports whether there is something to be shown before a sign-in goes on.
func (f flow) toShow() bool { return len(f.Codes)+len(f.Notices) > 0 || f.FewCodes || f.Setup }

// finished shows it.
func (v *visit) finished() error {
	return v.needs("/account", func(v *visit) error {
		if !v.flow.toShow() {
			return v.onwards()
		}
		if err := v.stillIn(); err != nil {
			return err
		}
		return v.show("finished", v.flow)
	})
}

// goOn goes on from there.
func (v *visit) goOn() error {
	v.drop()
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	if !in {
		return v.redirect("/signin")
	}
	if v.form("setup") != "" {
		v.to(v.Page("/account/security/add"))
		return nil
	}
	return v.onwards()
}

// over is where a form leads whose sign-in was over when it came: because it took too long or was begun anew, or because the same
// form had come before and is through. Which of them it was is seen here: the browser has the cookies of the first by now.
func (v *visit) over() error {
	in, err := v.signedIn()
	switch {
	case err != nil:
		return err
	case in && v.flow.toShow():
		return v.redirect("/signin/done")
	case in && (!v.errand.Prompt || v.p.Now().Sub(v.Me().proved()) < justNow):
		return v.onwards()
	case in && v.flow.StepUp != "":
		return v.reauthenticate(v.flow.StepUp)
	}
	if err := v.keep(flow{Email: v.flow.Email}); err != nil {
		return err
	}
	if err := v.says(message{Wrong: v.T("error.challenge_expired")}); err != nil {
		return err
	}
	return v.redirect("/signin")
}

// justNow is how long ago a sign-in may be that a form which came twice was part of.
const justNow = 10 * time.Second

// onwards leads whoever is signed in to where they wanted to go.
func (v *visit) onwards() error {
	if v.errand.ReturnURL != "" {
		return v.redirect("/signin/return")
	}
	next := v.errand.Next
	if next == "" {
		next = "/account"
	}
	v.to(v.Page(next))
	return nil
}

// backToApplication leads back to the application with a code, which is all that is in the address. Where the session has
// ended, or a login would ask for more today, they sign in again.
//
// It is a page that goes on by itself, and no redirect: browsers hold every redirect that follows a form against the list of
// where forms may lead (CSP form-action), also those that the application makes to others of its hosts.
func (v *visit) backToApplication() error {
	if v.errand.ReturnURL == "" {
		return v.onwards()
	}
	if in, err := v.signedIn(); err != nil || !in {
		if err != nil {
			return err
		}
		return v.redirect("/signin")
	}
	var made struct {
		Code string `json:"return_code"`
	}
	err := v.call(http.MethodPost, "/v1/auth/code", map[string]string{"return_url": v.errand.ReturnURL, "code_challenge": v.errand.Challenge}, &made)
	switch {
	case refused(err, "unauthenticated", "reauthentication_required") != nil:
		v.errand.Prompt = true
		return v.redirect("/signin")
	case err != nil:
		return err
	}
	address, err := v.errand.back(url.Values{"code": {made.Code}})
	if err != nil {
		return err
	}
	return v.show("return", address)
}
