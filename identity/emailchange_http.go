package identity

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

type emailChangeRequest struct {
	NewEmail        string `json:"new_email"`
	CurrentPassword string `json:"current_password"`

	email    Email
	password password.Password
}

// Validate reports bad members.
func (e *emailChangeRequest) Validate() map[string]string {
	bad := map[string]string{}
	var err error
	if e.email, err = ParseEmail(e.NewEmail); err != nil {
		bad["new_email"] = err.Error()
	}
	if e.password, err = password.Parse(e.CurrentPassword); err != nil {
		bad["current_password"] = err.Error()
	}
	return bad
}

func (l *Links) changeEmail(w http.ResponseWriter, r *http.Request, by Caller) error {
	req, err := rest.Decode[emailChangeRequest](r)
	if err != nil {
		return err
	}
	if err := l.AskEmailChange(r.Context(), by, req.email, req.password); err != nil {
		return err
	}
	return rest.Respond(w, http.StatusAccepted, messageBody{"Please confirm the change with the link that is on its way to the new address."})
}
