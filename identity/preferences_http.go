package identity

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func (s *Profiles) showPreferences(w http.ResponseWriter, r *http.Request, by Caller) error {
	p, err := s.Preferences(r.Context(), by)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, p)
}

type preferencesRequest struct {
	Locale     strictjson.Optional[string] `json:"locale"`
	TimeZone   strictjson.Optional[string] `json:"timezone"`
	DateFormat strictjson.Optional[string] `json:"date_format"`
	TimeFormat strictjson.Optional[string] `json:"time_format"`
}

// Validate reports bad members; a member that is absent leaves things as they are.
func (p *preferencesRequest) Validate() map[string]string {
	bad := map[string]string{}
	check := func(field string, given *strictjson.Optional[string], parse func(string) (string, error)) {
		text, ok := given.Get()
		if !ok {
			return
		}
		var err error
		if given.Value, err = parse(text); err != nil {
			bad[field] = err.Error()
		}
	}
	check("locale", &p.Locale, tenancy.ParseLocale)
	check("timezone", &p.TimeZone, parseTimeZone)
	check("date_format", &p.DateFormat, parseDateFormat)
	check("time_format", &p.TimeFormat, parseTimeFormat)
	return bad
}

func (s *Profiles) changePreferences(w http.ResponseWriter, r *http.Request, by Caller) error {
	req, err := rest.Decode[preferencesRequest](r)
	if err != nil {
		return err
	}
	p, err := s.ChangePreferences(r.Context(), by, PreferencesChange(req))
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, p)
}
