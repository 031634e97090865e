package pages

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// factorPage asks for one of the factors that somebody has.
type factorPage struct {
	Email   string
	Method  string   // the one it asks for
	Others  []string // what they could use instead
	Options json.RawMessage
	Mark    string // of the challenge it is about
}

// methodsOf are the ways to pay what is owed. A backup code stands in for any factor.
func (f flow) methodsOf() []string {
	all := slices.Clone(f.Methods)
	slices.SortStableFunc(all, func(a, b string) int { return strength(a) - strength(b) })
	return append(all, "backup_code")
}

// strength is in which order methods are asked for: first what cannot be phished.
func strength(method string) int {
	return slices.Index([]string{"webauthn_passkey", "webauthn_fido", "totp"}, method)
}

// askFactor asks for what is owed.
func (v *visit) askFactor() error {
	if v.flow.Challenge == "" || v.flow.Enrolment {
		return v.redirect("/signin/over")
	}
	if v.foreign() {
		return v.redirect("/signin")
	}
	page, err := v.factorPage(v.flow.methodsOf(), v.r.URL.Query().Get("method"))
	if refused(err, "challenge_expired") != nil {
		return v.redirect("/signin/over")
	}
	if err != nil {
		return err
	}
	return v.show("factor", page)
}

func (v *visit) factorPage(methods []string, wanted string) (p factorPage, err error) {
	p = factorPage{Email: v.flow.Email, Method: methods[0], Mark: mark(v.flow.Challenge)}
	if slices.Contains(methods, wanted) {
		p.Method = wanted
	}
	asks := func(m string) bool { return strings.HasPrefix(m, "webauthn") }
	p.Others = slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == p.Method || asks(m) && asks(p.Method) })
	if !asks(p.Method) {
		return p, nil
	}
	var o struct {
		Options json.RawMessage `json:"options"`
	}
	err = v.call(http.MethodPost, "/v1/auth/mfa/webauthn/begin", map[string]string{"challenge_id": v.flow.Challenge}, &o)
	p.Options = o.Options
	if refused(err, "no_factor") != nil { // none of a host that the tenant still has
		return v.factorPage(slices.DeleteFunc(methods, asks), "")
	}
	return p, err
}

// mark tells challenges apart on pages, and says nothing of them.
func mark(challenge string) string {
	sum := sha256.Sum256([]byte("mark " + challenge))
	return hex.EncodeToString(sum[:4])
}

// proveFactor takes a code or what an authenticator signed.
func (v *visit) proveFactor() error {
	method := v.form("method")
	if !slices.Contains(v.flow.methodsOf(), method) {
		method = "totp"
	}
	if v.flow.Challenge == "" || v.flow.Enrolment {
		return v.redirect("/signin/over")
	}
	if v.form("mark") != mark(v.flow.Challenge) { // another tab has begun another sign-in
		return v.redirect("/signin/factor")
	}
	var a loginAnswer
	var err error
	if strings.HasPrefix(method, "webauthn") {
		err = v.call(http.MethodPost, "/v1/auth/mfa/webauthn/complete",
			map[string]any{"challenge_id": v.flow.Challenge, "credential": credential(v.form("credential"))}, &a)
	} else {
		err = v.call(http.MethodPost, "/v1/auth/mfa/challenge",
			map[string]string{"challenge_id": v.flow.Challenge, "method": method, "code": typedCode(v.form("code"))}, &a)
	}
	switch {
	case err == nil:
		return v.goesOn(a, v.flow.Email)
	case refused(err, "challenge_expired") != nil:
		return v.redirect("/signin/over")
	case refused(err, "policy_denied") != nil:
		return err
	}
	return v.backTo(v.With("/signin/factor", "method", method), err)
}

// typedCode is a code without what people put into it to read it.
func typedCode(s string) string { return strings.Join(strings.Fields(s), "") }
