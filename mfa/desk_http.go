package mfa

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Mount adds the operations that take a challenge id for a credential, and what browsers ask about a tenant.
func (d *Desk) Mount(r *mux.Router, f tenancy.Front) {
	at := func(h func(http.ResponseWriter, *http.Request, tenancy.Front) error) rest.Handler {
		return func(w http.ResponseWriter, r *http.Request) error { return h(w, r, f) }
	}
	r.Handle("/v1/auth/mfa/challenge", rest.Methods{http.MethodPost: at(d.answer)})
	r.Handle("/v1/auth/mfa/webauthn/begin", rest.Methods{http.MethodPost: at(d.beginAssertion)})
	r.Handle("/v1/auth/mfa/webauthn/complete", rest.Methods{http.MethodPost: at(d.assertion)})
	r.Handle("/v1/auth/mfa/enroll-via-challenge", rest.Methods{http.MethodPost: at(d.enroll)})
	r.Handle("/v1/auth/mfa/enroll-via-challenge/webauthn/begin", rest.Methods{http.MethodPost: at(d.beginCredentialEnrollment)})
	r.Handle("/v1/auth/mfa/enroll-via-challenge/webauthn/complete", rest.Methods{http.MethodPost: at(d.credentialEnrollment)})
	r.Handle("/v1/auth/passkey/begin", rest.Methods{http.MethodPost: at(d.beginPasskey)})
	r.Handle("/v1/auth/passkey/complete", rest.Methods{http.MethodPost: at(d.passkey)})
	r.Handle("/.well-known/webauthn", rest.Methods{http.MethodGet: at(d.relatedOrigins)})
}

func required(bad map[string]string, field, value string) {
	if value == "" {
		bad[field] = "is required"
	}
}

// read recognises the host, decodes the body and finds the tenant, in this order.
func read[T any](r *http.Request, f tenancy.Front, slug func(T) *string) (t tenancy.Tenant, req T, err error) {
	site, err := f.Site(r)
	if err != nil {
		return t, req, err
	}
	if req, err = rest.Decode[T](r); err != nil {
		return t, req, err
	}
	t, err = site.Tenant(r.Context(), slug(req))
	return t, req, err
}

type answerRequest struct {
	Challenge  string  `json:"challenge_id"`
	TenantSlug *string `json:"tenant_slug"`
	Code       string  `json:"code"`
	Method     *string `json:"method"`
}

// Validate reports bad members.
func (a *answerRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", a.Challenge)
	required(bad, "code", a.Code)
	if a.Method != nil && *a.Method != TOTP && *a.Method != backupMethod {
		bad["method"] = "must be totp or backup_code"
	}
	return bad
}

func (d *Desk) answer(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(a answerRequest) *string { return a.TenantSlug })
	if err != nil {
		return err
	}
	method := TOTP
	if req.Method != nil {
		method = *req.Method
	}
	paid, err := d.Code(r.Context(), t, req.Challenge, method, req.Code, identity.ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, paid.Render(nil, paid.BackupCodesLeft))
}

type enrollRequest struct {
	Challenge  string  `json:"challenge_id"`
	TenantSlug *string `json:"tenant_slug"`
	Action     string  `json:"action"`
	Code       *string `json:"code"`
}

// Validate reports bad members.
func (e *enrollRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "challenge_id", e.Challenge)
	switch {
	case e.Action != "generate" && e.Action != "verify":
		bad["action"] = "must be generate or verify"
	case e.Action == "verify" && (e.Code == nil || *e.Code == ""):
		bad["code"] = "is required"
	}
	return bad
}

func (d *Desk) enroll(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	t, req, err := read(r, f, func(e enrollRequest) *string { return e.TenantSlug })
	if err != nil {
		return err
	}
	if req.Action == "generate" {
		e, err := d.BeginEnrollment(r.Context(), t, req.Challenge)
		if err != nil {
			return err
		}
		return e.respond(w, r, http.StatusOK, false)
	}
	o, codes, err := d.FinishEnrollment(r.Context(), t, req.Challenge, *req.Code, identity.ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(codes, nil))
}
