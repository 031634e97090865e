package identity

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// MountProfile adds what signed-in users see of themselves.
func MountProfile(r *mux.Router, g *Guard) {
	r.Handle("/v1/users/me/profile", rest.Methods{http.MethodGet: g.User(showProfile)})
}

type profileBody struct {
	ID           id.User  `json:"id"`
	Email        Email    `json:"email"`
	Name         string   `json:"name"`
	AuthProvider Provider `json:"auth_provider"`
	FirstName    *string  `json:"first_name"`
	LastName     *string  `json:"last_name"`
	DisplayName  *string  `json:"display_name"`
	Avatar       *string  `json:"avatar_base64"`
}

func showProfile(w http.ResponseWriter, _ *http.Request, by Caller) error {
	u := by.User
	return rest.Respond(w, http.StatusOK, profileBody{u.ID, u.Email, u.Name, u.AuthProvider,
		u.Profile.FirstName, u.Profile.LastName, u.Profile.DisplayName, u.Profile.Avatar})
}
