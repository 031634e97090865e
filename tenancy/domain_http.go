package tenancy

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Mount adds the operations on domains.
func (s *Domains) Mount(r *mux.Router, g Guard) {
	const write = "domains:write"
	r.Handle("/v1/domains", rest.Methods{
		http.MethodGet:  g.Require(write, s.list),
		http.MethodPost: g.Require(write, s.claim),
	})
	r.Handle("/v1/domains/{id}", rest.Methods{http.MethodDelete: g.Require(write, s.remove)})
	r.Handle("/v1/domains/{id}/verify", rest.Methods{http.MethodPost: g.Require(write, s.verify)})
	r.Handle("/v1/domains/{id}/primary", rest.Methods{http.MethodPost: g.Require(write, s.makePrimary)})
}

type domainBody struct {
	ID                id.Domain  `json:"id"`
	Domain            Host       `json:"domain"`
	Uses              []Use      `json:"uses"`
	Verified          bool       `json:"verified"`
	VerifiedAt        *time.Time `json:"verified_at"`
	VerificationToken string     `json:"verification_token"`
	DNSRecord         string     `json:"dns_record"`
	DNSValue          string     `json:"dns_value"`
	Primary           bool       `json:"primary"`
	CreatedAt         time.Time  `json:"created_at"`

	State        DomainState `json:"state"`
	CheckedAt    *time.Time  `json:"checked_at"`
	FailingSince *time.Time  `json:"failing_since"`
}

func renderDomain(d Domain) domainBody {
	return domainBody{d.ID, d.Domain, d.Uses, d.VerifiedAt != nil, d.VerifiedAt, d.VerificationToken,
		d.RecordName(), d.RecordValue(), d.Primary, d.CreatedAt,
		d.State(), d.CheckedAt, d.FailingSince}
}

type claimRequest struct {
	Domain string   `json:"domain"`
	Uses   []string `json:"uses"`

	host Host
	uses []Use
}

// Validate reports bad members.
func (c *claimRequest) Validate() map[string]string {
	bad := map[string]string{}
	var err error
	if c.host, err = ParseClaim(c.Domain); err != nil {
		bad["domain"] = err.Error()
	}
	if c.Uses == nil {
		c.Uses = []string{string(UseHost)}
	}
	if c.uses, err = ParseUses(c.Uses); err != nil {
		bad["uses"] = err.Error()
	}
	return bad
}

func (s *Domains) claim(w http.ResponseWriter, r *http.Request, by Admitted) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[claimRequest](r)
	if err != nil {
		return err
	}
	op := Operation{Name: "POST /v1/domains", By: by.Caller, Actor: by.Actor, Key: key, Request: req}
	body, err := s.Claim(r.Context(), by.Tenant, op, req.host, req.uses, func(d Domain) any { return renderDomain(d) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}

func (s *Domains) list(w http.ResponseWriter, r *http.Request, by Admitted) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParseDomain)
	if err != nil {
		return err
	}
	domains, err := s.List(r.Context(), by.Tenant, after, page.Fetch())
	if err != nil {
		return err
	}
	bodies := make([]domainBody, len(domains))
	for i, d := range domains {
		bodies[i] = renderDomain(d)
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(d domainBody) string { return d.ID.String() }))
}

func (s *Domains) remove(w http.ResponseWriter, r *http.Request, by Admitted) error {
	domain, err := id.ParseDomain(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := s.Remove(r.Context(), by, domain); err != nil {
		return err
	}
	return rest.NoContent(w)
}

// named is the domain that a request without a body is about.
func named(r *http.Request) (id.Domain, error) {
	if err := rest.NoBody(r); err != nil {
		return id.Domain{}, err
	}
	domain, err := id.ParseDomain(mux.Vars(r)["id"])
	if err != nil {
		return id.Domain{}, problem.NotFound()
	}
	return domain, nil
}

func (s *Domains) makePrimary(w http.ResponseWriter, r *http.Request, by Admitted) error {
	domain, err := named(r)
	if err != nil {
		return err
	}
	d, err := s.MakePrimary(r.Context(), by, domain)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderDomain(d))
}

func (s *Domains) verify(w http.ResponseWriter, r *http.Request, by Admitted) error {
	domain, err := named(r)
	if err != nil {
		return err
	}
	o, err := s.Verify(r.Context(), by, domain)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, struct {
		Verified bool   `json:"verified"`
		Message  string `json:"message"`
	}{o.Verified, o.Message})
}
