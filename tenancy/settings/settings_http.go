package settings

import (
	"maps"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// settingsBytes is the longest body with settings: templates of mails and a logo are 32 KB each.
const settingsBytes = 128 << 10

// Mount adds the operations on settings.
func (s *Store) Mount(r *mux.Router, g tenancy.Guard) {
	r.Handle("/v1/settings", rest.Methods{
		http.MethodGet: g.Require("settings:read", s.show),
		http.MethodPut: rest.Limits{Body: settingsBytes}.Apply(g.Require("settings:write", s.replace)),
	})
}

// putRequest is the whole object: a member that is missing is refused and not defaulted, so that a client which knows
// an older shape cannot reset what it does not know. What came later may be missing, and is then left as it is.
type putRequest struct {
	Password *Password `json:"password"`
	MFA      *MFA      `json:"mfa"`
	Tokens   *Tokens   `json:"tokens"`
	Mail     *Mail     `json:"mail"`

	Sessions       strictjson.Optional[Sessions] `json:"sessions"`
	AllowedOrigins strictjson.Optional[[]string] `json:"allowed_origins"`
	ReturnURLs     strictjson.Optional[[]string] `json:"return_urls"`
	Branding       strictjson.Optional[Branding] `json:"branding"`
	Locale         strictjson.Optional[string]   `json:"locale"`
}

// Validate reports bad members.
func (p *putRequest) Validate() map[string]string {
	bad := map[string]string{}
	for name, missing := range map[string]bool{"password": p.Password == nil, "mfa": p.MFA == nil, "tokens": p.Tokens == nil} {
		if missing {
			bad[name] = "is required"
		}
	}
	for name, null := range map[string]bool{"sessions": p.Sessions.Null, "allowed_origins": p.AllowedOrigins.Null,
		"return_urls": p.ReturnURLs.Null, "branding": p.Branding.Null} {
		if null {
			bad[name] = "must not be null"
		}
	}
	if len(bad) > 0 {
		return bad
	}
	for _, list := range []*[]string{&p.MFA.Roles, &p.MFA.Methods, &p.Tokens.Audiences, &p.AllowedOrigins.Value, &p.ReturnURLs.Value} {
		*list = asSet(*list)
	}
	p.MFA.tidy()
	if p.Mail != nil && p.Mail.Templates == nil {
		p.Mail.Templates = letter.Templates{}
	}
	if locale, ok := p.Locale.Get(); ok {
		var err error
		if p.Locale.Value, err = tenancy.ParseLocale(locale); err != nil {
			bad["locale"] = err.Error()
		}
	}
	maps.Copy(bad, p.over(Default()).Check())
	return bad
}

// asSet sorts a list and takes out what is in it twice; nil is the empty list.
func asSet(list []string) []string {
	slices.Sort(list)
	if list = slices.Compact(list); list == nil {
		list = []string{}
	}
	return list
}

// over lays what was sent over the settings as they are.
func (p *putRequest) over(s Settings) Settings {
	s.Password, s.MFA, s.Tokens = *p.Password, *p.MFA, *p.Tokens
	if p.Mail != nil {
		s.Mail = *p.Mail
	}
	s.Sessions = p.Sessions.Or(s.Sessions)
	s.Branding = p.Branding.Or(s.Branding)
	if p.AllowedOrigins.Set {
		s.AllowedOrigins = p.AllowedOrigins.Value
	}
	if p.ReturnURLs.Set {
		s.ReturnURLs = p.ReturnURLs.Value
	}
	if p.Locale.Set {
		s.Locale = p.Locale.Ptr()
	}
	return s
}

func (s *Store) show(w http.ResponseWriter, r *http.Request, by tenancy.Admitted) error {
	found, err := s.Read(r.Context(), by.Tenant)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, found)
}

func (s *Store) replace(w http.ResponseWriter, r *http.Request, by tenancy.Admitted) error {
	req, err := rest.Decode[putRequest](r)
	if err != nil {
		return err
	}
	n, err := s.Change(r.Context(), by, req.over)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, n)
}
