package identity

import (
	"cmp"
	"log/slog"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

type refreshRequest struct {
	RefreshToken string  `json:"refresh_token"`
	TenantSlug   *string `json:"tenant_slug"`
}

// Validate reports bad members.
func (q *refreshRequest) Validate() map[string]string {
	if q.RefreshToken == "" {
		return map[string]string{"refresh_token": "is required"}
	}
	return nil
}

// refresh finds the tenant as every public operation does; on the shared host the token itself may be what names it.
func (l *Logins) refresh(w http.ResponseWriter, r *http.Request, f tenancy.Front) error {
	site, err := f.Site(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[refreshRequest](r)
	if err != nil {
		return err
	}
	t, err := site.Presenting(refreshPrefix, req.RefreshToken).Tenant(r.Context(), req.TenantSlug)
	if err != nil {
		return err
	}
	rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
	o, err := l.Refresh(r.Context(), t, req.RefreshToken, ClientOf(r))
	if problem.Is(err, "invalid_token") {
		err = cmp.Or(l.Throttle.WrongRefresh(r.Context(), t, rest.ClientIP(r.Context())), err)
	}
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, o.Render(nil, nil))
}
