package identity

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

// profileBytes is the longest body with a profile: some encoders write two characters for the slashes of an avatar.
const profileBytes = maxAvatar + 64<<10

// Mount adds what signed-in users see and say of themselves.
func (s *Profiles) Mount(r *mux.Router, g *Guard) {
	r.Handle("/v1/users/me/profile", rest.Methods{
		http.MethodGet: g.User(s.showProfile),
		http.MethodPut: rest.Limits{Body: profileBytes}.Apply(g.User(s.changeProfile)),
	})
	r.Handle("/v1/users/me/preferences", rest.Methods{
		http.MethodGet: g.User(s.showPreferences),
		http.MethodPut: g.User(s.changePreferences),
	})
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

func respondProfile(w http.ResponseWriter, u *User, p Profile) error {
	return rest.Respond(w, http.StatusOK, profileBody{u.ID, u.Email, u.Name, u.AuthProvider, p.FirstName, p.LastName, p.DisplayName, p.Avatar})
}

func (s *Profiles) showProfile(w http.ResponseWriter, r *http.Request, by Caller) error {
	p, err := s.Profile(r.Context(), by)
	if err != nil {
		return err
	}
	return respondProfile(w, by.User, p)
}

type profileRequest struct {
	FirstName   strictjson.Optional[string] `json:"first_name"`
	LastName    strictjson.Optional[string] `json:"last_name"`
	DisplayName strictjson.Optional[string] `json:"display_name"`
	Avatar      strictjson.Optional[string] `json:"avatar_base64"`
}

// Validate reports bad members; a member that is absent leaves things as they are.
func (p *profileRequest) Validate() map[string]string {
	bad := map[string]string{}
	for field, err := range map[string]error{
		"first_name": parsePart(&p.FirstName), "last_name": parsePart(&p.LastName), "display_name": parsePart(&p.DisplayName),
		"avatar_base64": parseAvatar(p.Avatar),
	} {
		if err != nil {
			bad[field] = err.Error()
		}
	}
	return bad
}

func (s *Profiles) changeProfile(w http.ResponseWriter, r *http.Request, by Caller) error {
	req, err := rest.Decode[profileRequest](r)
	if err != nil {
		return err
	}
	p, err := s.ChangeProfile(r.Context(), by, ProfileChange(req))
	if err != nil {
		return err
	}
	return respondProfile(w, by.User, p)
}
