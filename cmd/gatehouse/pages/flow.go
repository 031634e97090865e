package pages

import "time"

// flow is what is under way in a browser: a sign-in between its pages, a factor that is being set up, what is to be shown
// once.
type flow struct {
	Session   string   `json:"i,omitempty"` // whose it is: in another, or in none, there is nothing of it
	Email     string   `json:"e,omitempty"`
	Challenge string   `json:"c,omitempty"` // what is still owed, a secret
	Methods   []string `json:"m,omitempty"` // to pay it with
	Enrolment bool     `json:"n,omitempty"` // it is a factor to be set up
	StepUp    string   `json:"p,omitempty"` // it is for a session there is: where to go on
	Secret    string   `json:"s,omitempty"` // of an authenticator app that is being set up
	URI       string   `json:"u,omitempty"` // the same for its camera
	Codes     []string `json:"b,omitempty"` // backup codes, to be shown once
	FewCodes  bool     `json:"f,omitempty"` // there are few left
	Setup     bool     `json:"g,omitempty"` // a second factor has to be set up before long
	Notices   []string `json:"o,omitempty"` // of the rules that let them in
	Raw       string   `json:"k,omitempty"` // an API key, to be shown once
	AdminKey  string   `json:"a,omitempty"` // that of a tenant that was made, behind the tenant's id
}

// flowLife is a little more than the life of a challenge; whoever comes later begins again.
const flowLife = 10 * time.Minute

// keep has the browser keep a flow in place of the one it has.
func (v *visit) keep(f flow) error {
	v.flow = f
	err := sealCookie(v, "flow", f, flowLife)
	for err == errLong && len(f.Notices) > 0 { //nolint:errorlint // ours, and bare; notices are the only part that others write at any length
		f.Notices = f.Notices[:len(f.Notices)-1]
		err = sealCookie(v, "flow", f, flowLife)
	}
	return err
}

// keepSecret is keep for what is shown to whoever is signed in, for as long as they are.
func (v *visit) keepSecret(f flow) error {
	f.Session = v.Me().Session
	return v.keep(f)
}

// readFlow is the flow that the browser brings.
func (v *visit) readFlow() (flow, error) {
	f, err := openCookie[flow](v, "flow")
	if f.Session != "" && f.Session != claimsOf(v.accessKept()).Session {
		return flow{}, err
	}
	return f, err
}

// stillIn asks the API, before something secret is shown, whether the session still holds.
func (v *visit) stillIn() error { return v.get("/v1/users/me/preferences", nil, nil) }

// drop ends the flow.
func (v *visit) drop() {
	v.flow = flow{}
	v.dropCookie("flow")
}
