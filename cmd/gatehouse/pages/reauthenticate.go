package pages

import "net/http"

// reauthenticate has whoever is signed in prove again who they are, and leads them to a page of ours then: with a second
// factor where they have one, which raises the session they have, and else with their password, which begins another.
func (v *visit) reauthenticate(next string) error {
	if !ours.MatchString(next) {
		next = "/account"
	}
	v.errand = errand{Next: next}
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/step-up", nil, &a)
	if err == nil {
		if err := v.keep(flow{Email: v.Me().Email, Challenge: a.Challenge, Methods: a.Methods, Said: "done.again"}); err != nil {
			return err
		}
		return v.redirect("/signin/factor")
	}
	if refused(err, "no_factor") == nil {
		return err
	}
	if err := v.keep(flow{Email: v.Me().Email, Said: "done.again"}); err != nil {
		return err
	}
	return v.redirect("/signin/password")
}
