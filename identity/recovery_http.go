package identity

import (
	"log/slog"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

type mailRequest struct {
	Email      string  `json:"email"`
	TenantSlug *string `json:"tenant_slug"`

	email Email
}

// Validate reports bad members.
func (m *mailRequest) Validate() map[string]string {
	var err error
	if m.email, err = ParseEmail(m.Email); err != nil {
		return map[string]string{"email": err.Error()}
	}
	return nil
}

func (l *Links) requestReset(w http.ResponseWriter, r *http.Request, site tenancy.Site) error {
	return l.request(w, r, site, letter.ResetPassword)
}

func (l *Links) resendVerification(w http.ResponseWriter, r *http.Request, site tenancy.Site) error {
	return l.request(w, r, site, letter.VerifyEmail)
}

// request has a mail sent, and says the same and takes the same time whether or not there is anybody to send it to.
func (l *Links) request(w http.ResponseWriter, r *http.Request, site tenancy.Site, kind mail.Kind) error {
	req, err := rest.Decode[mailRequest](r)
	if err != nil {
		return err
	}
	t, err := site.Tenant(r.Context(), req.TenantSlug)
	nobody := false
	if problem.Is(err, "tenant_required") {
		// As for a login: the domain of the address, if a tenant has proved it is its people's.
		t, err = l.Logins.byEmail(r, site, req.email)
		nobody = problem.Is(err, "not_found")
	}
	switch {
	case nobody:
		err = l.AskNobody(r.Context(), kind, req.email, ClientOf(r))
	case err == nil:
		rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
		err = l.Ask(r.Context(), t, kind, req.email, ClientOf(r))
	}
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusAccepted, messageBody{"If there is an account with this address, a mail is on its way."})
}
