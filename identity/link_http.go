package identity

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Mount adds what mailboxes are good for. All of it is done by POST: whatever only follows links, as scanners of mail do,
// spends none.
func (l *Links) Mount(r *mux.Router, f tenancy.Front, g *Guard) {
	r.Handle("/v1/auth/verify-email", rest.Methods{http.MethodPost: atSite(f, proving("Your e-mail address is verified.", l.Verify))})
	r.Handle("/v1/auth/resend-verification", rest.Methods{http.MethodPost: atSite(f, l.resendVerification)})
	r.Handle("/v1/auth/set-initial-password", rest.Methods{http.MethodPost: atSite(f, l.setInitialPassword)})
	r.Handle("/v1/auth/request-password-reset", rest.Methods{http.MethodPost: atSite(f, l.requestReset)})
	r.Handle("/v1/auth/reset-password", rest.Methods{http.MethodPost: atSite(f, l.reset)})
	r.Handle("/v1/auth/confirm-email-change", rest.Methods{http.MethodPost: atSite(f, proving("Your e-mail address is changed.", l.ConfirmEmailChange))})
	r.Handle("/v1/users/me/email", rest.Methods{http.MethodPost: g.User(l.changeEmail)})
	r.Handle("/v1/users/{id}/resend-invite", rest.Methods{http.MethodPost: g.Admin("users:write", l.resendInvite)})
}

// atSite finds the host of a request that nobody has to be signed in for. A tenant that is known without the body says that
// it is suspended before the body is judged.
func atSite(f tenancy.Front, h func(http.ResponseWriter, *http.Request, tenancy.Site) error) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		site, err := f.Site(r)
		if err != nil {
			return err
		}
		if _, err := site.Tenant(r.Context(), nil); problem.Is(err, "tenant_suspended") {
			return err
		}
		return h(w, r, site)
	}
}

// tokenRequest is the token of a link; the tenant is in it.
type tokenRequest struct {
	Token      string  `json:"token"`
	TenantSlug *string `json:"tenant_slug"`
}

// Validate reports bad members.
func (t *tokenRequest) Validate() map[string]string {
	bad := map[string]string{}
	if t.Token == "" {
		bad["token"] = "is required"
	}
	return bad
}

// tenant is whose the link is. A token of another tenant than the host's is a hint that disagrees; on the shared host, one
// that names nobody opens nothing.
func (t *tokenRequest) tenant(r *http.Request, site tenancy.Site) (tenancy.Tenant, error) {
	found, err := site.Presenting(linkPrefix, t.Token).Tenant(r.Context(), t.TenantSlug)
	if problem.Is(err, "invalid_token") {
		return found, errLink()
	}
	if err == nil {
		rest.AddLogAttrs(r.Context(), slog.String("tenant", found.ID.String()))
	}
	return found, err
}

type messageBody struct {
	Message string `json:"message"`
}

type provedBody struct {
	Message string `json:"message"`
	Email   Email  `json:"email"`
}

// proving spends a link that says no more than that an address is somebody's.
func proving(done string, spend func(context.Context, tenancy.Tenant, string) (Email, error)) func(http.ResponseWriter, *http.Request, tenancy.Site) error {
	return func(w http.ResponseWriter, r *http.Request, site tenancy.Site) error {
		req, err := rest.Decode[tokenRequest](r)
		if err != nil {
			return err
		}
		t, err := req.tenant(r, site)
		if err != nil {
			return err
		}
		e, err := spend(r.Context(), t, req.Token)
		if err != nil {
			return err
		}
		return rest.Respond(w, http.StatusOK, provedBody{done, e})
	}
}

type initialPasswordRequest struct {
	Token      string  `json:"token"`
	Password   string  `json:"password"`
	TenantSlug *string `json:"tenant_slug"`

	token    tokenRequest
	password password.Password
}

// Validate reports bad members.
func (i *initialPasswordRequest) Validate() map[string]string {
	i.token = tokenRequest{i.Token, i.TenantSlug}
	bad := i.token.Validate()
	var err error
	if i.password, err = password.Parse(i.Password); err != nil {
		bad["password"] = err.Error()
	}
	return bad
}

func (l *Links) setInitialPassword(w http.ResponseWriter, r *http.Request, site tenancy.Site) error {
	req, err := rest.Decode[initialPasswordRequest](r)
	if err != nil {
		return err
	}
	t, err := req.token.tenant(r, site)
	if err != nil {
		return err
	}
	if err := l.Accept(r.Context(), t, req.Token, req.password); err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, messageBody{"Your password is set. You can sign in now."})
}

type resetRequest struct {
	Token       string  `json:"token"`
	NewPassword string  `json:"new_password"`
	TenantSlug  *string `json:"tenant_slug"`

	token    tokenRequest
	password password.Password
}

// Validate reports bad members.
func (s *resetRequest) Validate() map[string]string {
	s.token = tokenRequest{s.Token, s.TenantSlug}
	bad := s.token.Validate()
	var err error
	if s.password, err = password.Parse(s.NewPassword); err != nil {
		bad["new_password"] = err.Error()
	}
	return bad
}

func (l *Links) reset(w http.ResponseWriter, r *http.Request, site tenancy.Site) error {
	req, err := rest.Decode[resetRequest](r)
	if err != nil {
		return err
	}
	t, err := req.token.tenant(r, site)
	if err != nil {
		return err
	}
	if err := l.Reset(r.Context(), t, req.Token, req.password); err != nil {
		return inField(err, "new_password")
	}
	return rest.Respond(w, http.StatusOK, messageBody{"Your password is changed. You can sign in with it now."})
}
