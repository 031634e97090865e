package identity

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

type changePasswordRequest struct {
	Current string `json:"current_password"`
	New     string `json:"new_password"`

	current, fresh password.Password
}

// Validate reports bad members. Of the current password it judges form alone.
func (c *changePasswordRequest) Validate() map[string]string {
	bad := map[string]string{}
	var err error
	if c.current, err = password.Parse(c.Current); err != nil {
		bad["current_password"] = err.Error()
	}
	if c.fresh, err = password.Parse(c.New); err != nil {
		bad["new_password"] = err.Error()
	}
	return bad
}

func (s *Users) changePassword(w http.ResponseWriter, r *http.Request, by Caller) error {
	req, err := rest.Decode[changePasswordRequest](r)
	if err != nil {
		return err
	}
	if err := s.ChangePassword(r.Context(), by, req.current, req.fresh); err != nil {
		return err
	}
	return rest.NoContent(w)
}
