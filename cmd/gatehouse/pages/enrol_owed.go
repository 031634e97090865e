package pages

import (
	"encoding/json"
	"net/http"
)

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
