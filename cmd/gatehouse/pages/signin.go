package pages

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// home is what somebody finds who types the tenant's address.
func (v *visit) home() error {
	if v.mayBeIn() {
		return v.redirect("/account")
	}
	return v.redirect("/signin")
}

// mayBeIn reports whether the browser has a session that can be gone on with. Where that was refused, by a rule that holds at this hour,
// or could not be found out, a sign-in is what is left.
func (v *visit) mayBeIn() bool {
	in, err := v.signedIn()
	if err != nil {
		rest.LogFailure(v.r.Context(), err)
	}
	return err == nil && in
}

// passkeyOffer is what the browser is asked to sign in with a passkey.
type passkeyOffer struct {
	Challenge string          `json:"challenge_id"`
	Options   json.RawMessage `json:"options"`
}

// identifierPage asks who somebody is, or for a passkey, which says it itself.
type identifierPage struct {
	Email   string
	Passkey *passkeyOffer // nil: none are offered
}

// askIdentifier begins a sign-in. Whoever is signed in already goes on at once, unless the application wants them asked.
func (v *visit) askIdentifier() error {
	if !v.errand.Prompt && v.mayBeIn() {
		return v.onwards()
	}
	return v.show("signin", identifierPage{v.flow.Email, v.offerPasskey()})
}

// offerPasskey is an offer and no more: where it cannot be made there is the password.
func (v *visit) offerPasskey() *passkeyOffer {
	v.access = "" // nobody's yet
	var o passkeyOffer
	if err := v.call(http.MethodPost, "/v1/auth/passkey/begin", nil, &o); err != nil {
		if refused(err, "method_not_offered") == nil {
			rest.LogFailure(v.r.Context(), err)
		}
		return nil
	}
	return &o
}

// identify takes the address and asks for the password next, whoever that is: who has an account is not to be learnt here.
func (v *visit) identify() error {
	email := v.typedEmail()
	if err := v.keep(flow{Email: email}); err != nil {
		return err
	}
	if !strings.Contains(email, "@") {
		return v.backTo(v.URL("/signin"), &refusal{Status: http.StatusBadRequest, Code: "invalid_email"})
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
	email := v.typedEmail()
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/login", map[string]string{"email": email, "password": v.form("password")}, &a)
	switch e := refused(err); {
	case err == nil:
		return v.goesOn(a, email)
	case e != nil && e.Code == "email_not_verified":
		return v.render(e.Status, "unverified", view{visit: v, Data: email})
	case e != nil && e.Code == "policy_denied":
		return err
	}
	if err := v.keep(flow{Email: email}); err != nil {
		return err
	}
	return v.backTo(v.URL("/signin/password"), err)
}

// signInByPasskey takes what the browser's authenticator signed.
func (v *visit) signInByPasskey() error {
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/passkey/complete", map[string]any{"challenge_id": v.form("challenge"), "credential": credential(v.form("credential"))}, &a)
	switch {
	case err == nil:
		return v.goesOn(a, "")
	case refused(err, "policy_denied") != nil:
		return err
	}
	return v.backTo(v.URL("/signin"), err)
}
