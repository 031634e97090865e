package mfa

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/pquerna/otp"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Mount adds what signed-in users do with their factors, and what administrators do with those of others.
func (f *Factors) Mount(r *mux.Router, g *identity.Guard) {
	r.Handle("/v1/users/me/mfa", rest.Methods{http.MethodGet: g.User(f.list)})
	r.Handle("/v1/users/me/mfa/totp", rest.Methods{http.MethodPost: g.User(f.enrollTOTP)})
	r.Handle("/v1/users/me/mfa/totp/verify", rest.Methods{http.MethodPost: g.User(f.verifyTOTP)})
	r.Handle("/v1/users/me/mfa/webauthn/register", rest.Methods{http.MethodPost: g.User(f.beginRegistration)})
	r.Handle("/v1/users/me/mfa/webauthn/register/complete", rest.Methods{http.MethodPost: g.User(f.completeRegistration)})
	r.Handle("/v1/users/me/mfa/backup-codes", rest.Methods{http.MethodPost: g.User(f.backupCodes)})
	r.Handle("/v1/users/me/mfa/{id}", rest.Methods{http.MethodDelete: g.User(f.remove)})
	r.Handle("/v1/auth/step-up", rest.Methods{http.MethodPost: g.User(f.stepUp)})
	r.Handle("/v1/users/{id}/reset-mfa", rest.Methods{http.MethodPost: g.Admin("users:write", f.reset)})
	r.Handle("/v1/users/{id}/unlock", rest.Methods{http.MethodPost: g.Admin("users:write", f.unlock)})
}

type factorBody struct {
	ID         id.Factor  `json:"id"`
	Method     string     `json:"method_type"`
	Device     string     `json:"device_name"`
	Verified   bool       `json:"verified"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func (f *Factors) list(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	factors, err := f.List(r.Context(), by.Tenant, by.User.ID)
	if err != nil {
		return err
	}
	bodies := make([]factorBody, len(factors))
	for i, x := range factors {
		bodies[i] = factorBody(x)
	}
	return rest.Respond(w, http.StatusOK, map[string]any{"methods": bodies})
}

type enrolmentBody struct {
	ID     *id.Factor `json:"id,omitempty"`
	Secret string     `json:"secret"`
	URI    string     `json:"qr_uri"`
}

// respond shows a new secret, as text or, to a client that asks for image/png, as the picture an app scans.
func (e totpEnrolment) respond(w http.ResponseWriter, r *http.Request, status int, withID bool) error {
	if !strings.Contains(r.Header.Get("Accept"), "image/png") {
		b := enrolmentBody{Secret: e.Secret, URI: e.URI}
		if withID {
			b.ID = &e.ID
		}
		return rest.Respond(w, status, b)
	}
	key, err := otp.NewKeyFromURL(e.URI)
	if err != nil {
		return err
	}
	picture, err := key.Image(256, 256)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
	return nil
}

func (f *Factors) enrollTOTP(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	e, err := f.EnrollTOTP(r.Context(), by)
	if err != nil {
		return err
	}
	return e.respond(w, r, http.StatusCreated, true)
}

type codeRequest struct {
	Code string `json:"code"`
}

// Validate reports bad members.
func (c *codeRequest) Validate() map[string]string {
	bad := map[string]string{}
	required(bad, "code", c.Code)
	return bad
}

// codesBody has codes only where new ones were made.
type codesBody struct {
	Codes     []string `json:"codes,omitempty"`
	Remaining int      `json:"remaining"`
}

func (f *Factors) verifyTOTP(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	req, err := rest.Decode[codeRequest](r)
	if err != nil {
		return err
	}
	codes, left, err := f.ConfirmTOTP(r.Context(), by, req.Code)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, codesBody{codes, left})
}

func (f *Factors) backupCodes(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	codes, err := f.NewBackupCodes(r.Context(), by)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, codesBody{codes, len(codes)})
}

func (f *Factors) remove(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	factor, err := id.ParseFactor(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := f.Remove(r.Context(), by, factor); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (f *Factors) stepUp(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	debt, err := f.StepUp(r.Context(), by)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, identity.Outcome{Debt: debt}.Render(nil, nil))
}

func (f *Factors) reset(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	u, err := id.ParseUser(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := f.Reset(r.Context(), by, u); err != nil {
		return err
	}
	return rest.NoContent(w)
}
