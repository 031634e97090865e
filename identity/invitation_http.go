package identity

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

func (l *Links) resendInvite(w http.ResponseWriter, r *http.Request, by Caller) error {
	u, err := userOf(r)
	if err != nil {
		return err
	}
	if err := rest.NoBody(r); err != nil {
		return err
	}
	if err := l.Invite(r.Context(), by, u); err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, messageBody{"The invitation is on its way."})
}
