package pages

import "net/http"

// needs is a page for whoever is signed in; all others sign in first and are led back.
func needs(h func(*visit) error) func(*visit) error {
	return func(v *visit) error { return v.needs(v.where(), h) }
}

// where is this page as one that can be come back to: with the thing that it is about, if it is about one.
func (v *visit) where() string {
	if at := v.r.URL.Path + "?id=" + v.one(); ours.MatchString(at) {
		return at
	}
	return v.r.URL.Path
}

// needs does h for whoever is signed in. All others sign in first and are led to a page then: what they had typed is lost, and
// nothing is done behind their back.
func (v *visit) needs(page string, h func(*visit) error) error {
	in, err := v.signedIn()
	if err != nil {
		return err
	}
	if !in {
		return v.toSignIn(page)
	}
	return h(v)
}

// askAgain is toSignIn for a browser whose session, as far as can be seen from here, is still good.
func (v *visit) askAgain(next string) error {
	v.errand = errand{Prompt: true}
	if ours.MatchString(next) {
		v.errand.Next = next
	}
	return v.redirect("/signin")
}

// toSignIn leads to the sign-in, and from there to a page of ours.
func (v *visit) toSignIn(next string) error {
	v.errand = errand{}
	if ours.MatchString(next) {
		v.errand.Next = next
	}
	return v.redirect("/signin")
}

// reauthenticate has whoever is signed in prove again who they are, and leads them to a page of ours then: with a second
// factor where they have one, which raises the session they have, and else with their password, which begins another.
func (v *visit) reauthenticate(next string) error {
	if !ours.MatchString(next) {
		next = "/account"
	}
	v.errand = errand{Next: next, Prompt: true}
	if err := v.says(message{Done: "done.again"}); err != nil {
		return err
	}
	var a loginAnswer
	err := v.call(http.MethodPost, "/v1/auth/step-up", nil, &a)
	if err == nil {
		if err := v.keep(flow{Email: v.Me().Email, Challenge: a.Challenge, Methods: a.Methods, StepUp: next}); err != nil {
			return err
		}
		return v.redirect("/signin/factor")
	}
	if refused(err, "no_factor") == nil {
		return err
	}
	if err := v.keep(flow{Email: v.Me().Email}); err != nil {
		return err
	}
	return v.redirect("/signin/password")
}

// unlessAgain is err, unless what was refused is done for whoever proves again who they are; they are led back to a page.
func (v *visit) unlessAgain(err error, page string) error {
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate(page)
	}
	return err
}
