package identity

import (
	"cmp"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

type codeRequest struct {
	ReturnURL string `json:"return_url"`
	Challenge string `json:"code_challenge"`
}

var (
	s256     = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`) // RFC 7636 section 4.1
)

// Validate reports bad members.
func (c *codeRequest) Validate() map[string]string {
	bad := map[string]string{}
	if c.ReturnURL == "" {
		bad["return_url"] = "is required"
	}
	if !s256.MatchString(c.Challenge) {
		bad["code_challenge"] = "must be the SHA-256 of the verifier in base64url, 43 characters (RFC 7636)"
	}
	return bad
}

type codeBody struct {
	Code    string    `json:"return_code"` // not code, which is what an error has
	Expires time.Time `json:"expires_at"`
}

func (l *Logins) code(w http.ResponseWriter, r *http.Request, by Caller) error {
	req, err := rest.Decode[codeRequest](r)
	if err != nil {
		return err
	}
	code, expires, err := l.IssueCode(r.Context(), by, req.ReturnURL, req.Challenge)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, codeBody{code, expires.UTC().Truncate(time.Second)})
}

type exchangeRequest struct {
	Code       string  `json:"code"`
	ReturnURL  string  `json:"return_url"`
	Verifier   string  `json:"code_verifier"`
	TenantSlug *string `json:"tenant_slug"`
}

// Validate reports bad members.
func (e *exchangeRequest) Validate() map[string]string {
	bad := map[string]string{}
	for name, value := range map[string]string{"code": e.Code, "return_url": e.ReturnURL} {
		if value == "" {
			bad[name] = "is required"
		}
	}
	if !verifier.MatchString(e.Verifier) {
		bad["code_verifier"] = "must be 43 to 128 unreserved characters (RFC 7636)"
	}
	return bad
}

// exchange finds the tenant as a refresh does: on the shared host the code itself may name it.
func (l *Logins) exchange(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	site, err := f.Site(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[exchangeRequest](r)
	if err != nil {
		return err
	}
	t, err := site.Presenting(codePrefix, req.Code).Tenant(r.Context(), req.TenantSlug)
	if err != nil {
		return err
	}
	rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
	o, err := l.Exchange(r.Context(), t, req.Code, req.ReturnURL, req.Verifier, ClientOf(r))
	if problem.Is(err, "invalid_token") {
		err = cmp.Or(l.Throttle.WrongRefresh(r.Context(), t, rest.ClientIP(r.Context())), err)
	}
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(nil, nil))
}
