package identity

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Mount adds signing in, and staying so.
func (l *Logins) Mount(r *mux.Router, f tenancy.Front, g *Guard) {
	r.Handle("/v1/auth/login", rest.Methods{
		http.MethodPost: func(w http.ResponseWriter, r *http.Request) error { return l.login(w, r, f) },
	})
	r.Handle("/v1/auth/exchange", rest.Methods{
		http.MethodPost: func(w http.ResponseWriter, r *http.Request) error { return l.exchange(w, r, f) },
	})
	r.Handle("/v1/auth/code", rest.Methods{http.MethodPost: g.User(l.code)})
	r.Handle("/v1/auth/refresh", rest.Methods{
		http.MethodPost: func(w http.ResponseWriter, r *http.Request) error { return l.refresh(w, r, f) },
	})
}

type loginRequest struct {
	Email      string  `json:"email"`
	Password   string  `json:"password"`
	TenantSlug *string `json:"tenant_slug"`

	email    Email
	password password.Password
}

// Validate reports bad members. It judges form alone: whether a password is long enough is no business of a login.
func (l *loginRequest) Validate() map[string]string {
	bad := map[string]string{}
	var err error
	if l.email, err = ParseEmail(l.Email); err != nil {
		bad["email"] = err.Error()
	}
	if l.password, err = password.Parse(l.Password); err != nil {
		bad["password"] = err.Error()
	}
	return bad
}

// grantBody is the token answer.
type grantBody struct {
	Token          string    `json:"token"`
	Expires        time.Time `json:"expires_at"`
	RefreshToken   string    `json:"refresh_token"`
	RefreshExpires time.Time `json:"refresh_expires_at"`
	Tenant         id.Tenant `json:"tenant_id"`
	SetupRequired  bool      `json:"mfa_setup_required,omitempty"`
	BackupCodes    []string  `json:"backup_codes,omitempty"`
	CodesLeft      *int      `json:"backup_codes_remaining,omitempty"`
	Notices        []string  `json:"notices,omitempty"`
}

// debtBody is the challenge answer or, with other first members, the enrolment answer.
type debtBody struct {
	MFARequired        bool     `json:"mfa_required,omitempty"`
	EnrollmentRequired bool     `json:"enrollment_required,omitempty"`
	Challenge          string   `json:"challenge_id"`
	Methods            []string `json:"methods"`
}

// Render is the one of the three answers that an outcome has. With a token come, if there are any, backup codes that were
// just made, and how many are left after one was used.
func (o Outcome) Render(codes []string, left *int) any {
	if o.Debt != nil {
		return debtBody{!o.Debt.Enrolment, o.Debt.Enrolment, o.Debt.Challenge, o.Debt.Methods}
	}
	g := o.Grant
	return grantBody{g.AccessToken, g.Expires, g.RefreshToken, g.RefreshExpires.UTC().Truncate(time.Second), g.Tenant.ID, g.SetupRequired, codes, left, g.Notices}
}

func (l *Logins) login(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	site, err := f.Site(r)
	if err != nil {
		return err
	}
	// A tenant that is known without the body says so before the body is judged.
	if _, err := site.Tenant(r.Context(), nil); problem.Is(err, "tenant_suspended") {
		return err
	}
	req, err := rest.Decode[loginRequest](r)
	if err != nil {
		return err
	}
	t, err := site.Tenant(r.Context(), req.TenantSlug)
	if problem.Is(err, "tenant_required") {
		// The third way to say a tenant: the domain of the address, if a tenant has proved it is its people's.
		if t, err = l.byEmail(r, site, req.email); problem.Is(err, "not_found") {
			return l.Nobody(r.Context(), req.email, req.password, ClientOf(r))
		}
	}
	if err != nil {
		return err
	}
	rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
	o, err := l.Password(r.Context(), t, req.email, req.password, ClientOf(r))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(nil, nil))
}

// byEmail holds the tenant of the address against whatever else the request says of one.
func (l *Logins) byEmail(r *http.Request, site tenancy.Site, e Email) (tenancy.Tenant, error) {
	t, err := tenancy.ByEmailDomain(r.Context(), l.Directory, e.Domain())
	if err != nil {
		return t, err
	}
	said := string(t.Slug)
	return site.Tenant(r.Context(), &said)
}

// ClientOf is where a request comes from. What the client calls itself is cut to a sane length; the user sees it in the
// list of sessions.
func ClientOf(r *http.Request) Client {
	s := r.UserAgent()
	return Client{rest.ClientIP(r.Context()), printable(s[:min(len(s), 300)])}
}
