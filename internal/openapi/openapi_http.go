package openapi

import (
	"encoding/json"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Mount adds GET /openapi.json, on every host: it describes the service and no tenant.
func Mount(r *mux.Router) {
	r.Handle("/openapi.json", rest.Methods{http.MethodGet: show})
}

func show(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	return rest.Respond(w, http.StatusOK, json.RawMessage(JSON()))
}
