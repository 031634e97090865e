package mfa

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

func (f *Factors) unlock(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	u, err := id.ParseUser(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := f.Unlock(r.Context(), by, u); err != nil {
		return err
	}
	return rest.NoContent(w)
}
