package tenancy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// PlatformKeys is what administrators of the platform do with tenants' signing keys.
type PlatformKeys struct {
	Rotator   *Rotator
	Directory *Directory
}

// Mount adds the operations on signing keys.
func (p *PlatformKeys) Mount(r *mux.Router, g Guard) {
	r.Handle("/v1/tenants/{id}/keys", rest.Methods{http.MethodGet: g.Platform("tenants:read", p.list)})
	r.Handle("/v1/tenants/{id}/keys/rotate", rest.Methods{http.MethodPost: g.Platform("tenants:write", p.rotate)})
	r.Handle("/v1/tenants/{id}/keys/{kid}/revoke", rest.Methods{http.MethodPost: g.Platform("tenants:write", p.revoke)})
}

type signingKeyBody struct {
	KID       string            `json:"kid"`
	Algorithm custody.Algorithm `json:"algorithm"`
	State     KeyState          `json:"state"`
	Since     time.Time         `json:"since"`
	NextAt    *time.Time        `json:"next_step_at"`
	CreatedAt time.Time         `json:"created_at"`
}

func renderSigningKey(k SigningKeyRecord) signingKeyBody {
	return signingKeyBody{k.KID, k.Algorithm, k.State, k.Since, k.DueAt, k.CreatedAt}
}

// tenant is the one that the path names, suspended or not: its keys are told to verifiers all the same.
func (p *PlatformKeys) tenant(r *http.Request) (Tenant, error) {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return Tenant{}, problem.NotFound()
	}
	t, err := p.Directory.Read(r.Context(), tid)
	return t, err
}

func (p *PlatformKeys) list(w http.ResponseWriter, r *http.Request, by Admitted) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, strconv.Atoi)
	if err != nil {
		return err
	}
	t, err := p.tenant(r)
	if err != nil {
		return err
	}
	keys, err := p.Rotator.List(r.Context(), t)
	if err != nil {
		return err
	}
	var rows []SigningKeyRecord
	for _, k := range keys {
		if k.Version > after && len(rows) < page.Fetch() {
			rows = append(rows, k)
		}
	}
	l := rest.NewList(page, rows, func(k SigningKeyRecord) string { return strconv.Itoa(k.Version) })
	bodies := rest.List[signingKeyBody]{Data: make([]signingKeyBody, len(l.Data)), NextCursor: l.NextCursor, HasMore: l.HasMore}
	for i, k := range l.Data {
		bodies.Data[i] = renderSigningKey(k)
	}
	return rest.Respond(w, http.StatusOK, bodies)
}

type rotateRequest struct {
	Algorithm *custody.Algorithm `json:"algorithm"` // null or absent: as it is
}

// Validate reports an algorithm that no key of ours has.
func (q *rotateRequest) Validate() map[string]string {
	if q.Algorithm != nil && !q.Algorithm.Valid() {
		return map[string]string{"algorithm": "must be ES256, EdDSA or RS256"}
	}
	return nil
}

// rotate answers 202: the key is published, and the rest happens in its time.
func (p *PlatformKeys) rotate(w http.ResponseWriter, r *http.Request, by Admitted) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	req, err := rest.DecodeOptional[rotateRequest](r)
	if err != nil {
		return err
	}
	var alg custody.Algorithm
	if req.Algorithm != nil {
		alg = *req.Algorithm
	}
	t, err := p.tenant(r)
	if err != nil {
		return err
	}
	k, err := p.Rotator.Rotate(r.Context(), t, by.Actor, alg)
	if err != nil {
		return err
	}
	p.Directory.Forget(t.ID)
	return rest.Respond(w, http.StatusAccepted, renderSigningKey(*k))
}

func (p *PlatformKeys) revoke(w http.ResponseWriter, r *http.Request, by Admitted) error {
	if err := bare(r); err != nil {
		return err
	}
	t, err := p.tenant(r)
	if err != nil {
		return err
	}
	k, err := p.Rotator.Revoke(r.Context(), t, by.Actor, mux.Vars(r)["kid"])
	p.Directory.Forget(t.ID) // also where the next key could not be made: this replica is not behind with the end of the old one
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderSigningKey(*k))
}
