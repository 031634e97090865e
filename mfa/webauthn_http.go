package mfa

import (
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// optionsBody is what goes into the browser's parseCreationOptionsFromJSON or parseRequestOptionsFromJSON.
type optionsBody struct {
	Challenge string `json:"challenge_id,omitempty"` // of a sign-in by passkey
	Options   any    `json:"options"`
}

func checkMethod(bad map[string]string, field, method string) {
	if method != Passkey && method != Security {
		bad[field] = "must be " + Passkey + " or " + Security
	}
}

// checkCredential wants what the browser's toJSON() gives. What is in it is judged where it is verified.
func checkCredential(bad map[string]string, c strictjson.Raw) {
	switch {
	case len(c) == 0:
		bad["credential"] = "is required"
	case c[0] != '{':
		bad["credential"] = "must be an object"
	}
}

// checkDevice reads the name of a credential, where there is one.
func checkDevice(bad map[string]string, name *string) {
	if name == nil {
		return
	}
	clean, err := tenancy.ParseName(*name)
	if err != nil {
		bad["device_name"] = err.Error()
	}
	*name = clean
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (f *Factors) beginRegistration(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	q, err := rest.Query(r)
	if err != nil {
		return err
	}
	method, bad := q.Get("method_type"), map[string]string{}
	if checkMethod(bad, "method_type", method); len(bad) > 0 {
		return problem.Fields(bad)
	}
	o, err := f.BeginRegistration(r.Context(), by, method)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, optionsBody{Options: o})
}

type registrationRequest struct {
	Credential strictjson.Raw `json:"credential"`
	Device     *string        `json:"device_name"`
	Method     string         `json:"method_type"`
}

// Validate reports bad members.
func (g *registrationRequest) Validate() map[string]string {
	bad := map[string]string{}
	checkCredential(bad, g.Credential)
	checkDevice(bad, g.Device)
	checkMethod(bad, "method_type", g.Method)
	return bad
}

func (f *Factors) completeRegistration(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	req, err := rest.Decode[registrationRequest](r)
	if err != nil {
		return err
	}
	codes, left, err := f.Registration(r.Context(), by, req.Method, orEmpty(req.Device), req.Credential)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, codesBody{codes, left})
}

type beginRequest struct {
	Challenge  string  `json:"challenge_id"`
	TenantSlug *string `json:"tenant_slug"`
}

// Validate reports bad members.
func (b *beginRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", b.Challenge)
	return bad
}

func (d *Desk) beginAssertion(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(b beginRequest) *string { return b.TenantSlug })
	if err != nil {
		return err
	}
	o, err := d.BeginAssertion(r.Context(), t, req.Challenge)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, optionsBody{Options: o})
}

type assertionRequest struct {
	Challenge  string         `json:"challenge_id"`
	TenantSlug *string        `json:"tenant_slug"`
	Credential strictjson.Raw `json:"credential"`
}

// Validate reports bad members.
func (a *assertionRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", a.Challenge)
	checkCredential(bad, a.Credential)
	return bad
}

func (d *Desk) assertion(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(a assertionRequest) *string { return a.TenantSlug })
	if err != nil {
		return err
	}
	o, err := d.Assertion(r.Context(), t, req.Challenge, req.Credential, identity.ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(nil, nil))
}

type beginEnrollmentRequest struct {
	Challenge  string  `json:"challenge_id"`
	TenantSlug *string `json:"tenant_slug"`
	Method     string  `json:"method_type"`
}

// Validate reports bad members.
func (b *beginEnrollmentRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", b.Challenge)
	checkMethod(bad, "method_type", b.Method)
	return bad
}

func (d *Desk) beginCredentialEnrollment(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(b beginEnrollmentRequest) *string { return b.TenantSlug })
	if err != nil {
		return err
	}
	o, err := d.BeginCredentialEnrollment(r.Context(), t, req.Challenge, req.Method)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, optionsBody{Options: o})
}

type credentialEnrollmentRequest struct {
	Challenge  string         `json:"challenge_id"`
	TenantSlug *string        `json:"tenant_slug"`
	Credential strictjson.Raw `json:"credential"`
	Device     *string        `json:"device_name"`
}

// Validate reports bad members.
func (c *credentialEnrollmentRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", c.Challenge)
	checkCredential(bad, c.Credential)
	checkDevice(bad, c.Device)
	return bad
}

func (d *Desk) credentialEnrollment(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(c credentialEnrollmentRequest) *string { return c.TenantSlug })
	if err != nil {
		return err
	}
	o, codes, err := d.CredentialEnrollment(r.Context(), t, req.Challenge, orEmpty(req.Device), req.Credential, identity.ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(codes, nil))
}

type beginPasskeyRequest struct {
	TenantSlug *string `json:"tenant_slug"`
}

func (d *Desk) beginPasskey(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, err := passkeyTenant(r, f)
	if err != nil {
		return err
	}
	challenge, o, err := d.BeginPasskey(r.Context(), t)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, optionsBody{challenge, o})
}

// passkeyTenant takes an empty body, too: on a tenant's own host there is nothing to say.
func passkeyTenant(r *http.Request, f tenancy.Front) (t tenancy.Tenant, err error) {
	if r.ContentLength == 0 {
		return f.Tenant(r)
	}
	t, _, err = read(r, f, func(b beginPasskeyRequest) *string { return b.TenantSlug })
	return t, err
}

func (d *Desk) passkey(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(a assertionRequest) *string { return a.TenantSlug })
	if err != nil {
		return err
	}
	o, err := d.Passkey(r.Context(), t, req.Challenge, req.Credential, identity.ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(nil, nil))
}

// relatedOrigins tells browsers on which other hosts of the tenant its credentials may be used (WebAuthn Level 3 section
// 5.11). Every host of a tenant answers, because credentials remember the host they were made for and the primary domain
// may have been another one then. The shared host is no tenant's.
func (d *Desk) relatedOrigins(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	site, err := f.Site(r)
	if err != nil {
		return err
	}
	if site.Shared() {
		return problem.NotFound()
	}
	t, err := site.Tenant(r.Context(), nil)
	if err != nil {
		return err
	}
	rp, err := d.relyingParty(r.Context(), t)
	if err != nil {
		return err
	}
	host, err := d.Address.Host(rest.ForwardedHost(r, f.Trusted))
	if err != nil {
		return problem.NotFound()
	}
	others := slices.DeleteFunc(rp.origins, func(o string) bool { return o == d.Address.Origin(host) })
	w.Header().Set("Cache-Control", "public, max-age=300")
	return rest.Respond(w, http.StatusOK, relatedOriginsBody{others})
}

type relatedOriginsBody struct {
	Origins []string `json:"origins"`
}
