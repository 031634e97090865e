package pages

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// What a tenant decides is sent as a whole: read, changed where the form has something to say, and sent back.

func (v *visit) decided() (s settings.Settings, err error) {
	return s, v.get("/v1/settings", nil, &s)
}

func (v *visit) decide(s settings.Settings) error {
	return v.call(http.MethodPut, "/v1/settings", s, nil)
}

// brandingPage shows how the tenant's pages look, with the form to change it.
type brandingPage struct {
	Named, Colour string
	Logo          *string
}

func (v *visit) branding() error {
	s, err := v.decided()
	if err != nil {
		return err
	}
	return v.show("console-branding", pageOf(s.Branding))
}

func pageOf(b settings.Branding) brandingPage {
	p := brandingPage{Named: asText(b.Name), Colour: ourColour, Logo: b.Logo}
	if b.PrimaryColor != nil {
		p.Colour = *b.PrimaryColor
	}
	return p
}

func (v *visit) changeBranding() error {
	s, err := v.decided()
	if err != nil {
		return err
	}
	s.Branding.Name = v.text("name")
	if colour := strings.ToLower(v.form("primary_color")); colour != "" && colour != ourColour {
		s.Branding.PrimaryColor = &colour
	} else {
		s.Branding.PrimaryColor = nil
	}
	switch uploaded, err := v.picture("logo"); {
	case err != nil:
		return err
	case uploaded != "":
		s.Branding.Logo = &uploaded
	case v.form("no_logo") != "":
		s.Branding.Logo = nil
	}
	if err := v.decide(s); err != nil {
		if e := refused(err, "invalid_request"); e != nil {
			for _, name := range []string{"name", "logo", "primary_color"} {
				if why := e.Details.Fields["branding."+name]; why != "" {
					e.Details.Fields[name] = why
				}
			}
		}
		return v.again(v.unlessAgain(err, "/console/branding"), "console-branding", pageOf(s.Branding))
	}
	return v.done("/console/branding", "done.saved")
}

func (v *visit) settings() error {
	s, err := v.decided()
	if err != nil {
		return err
	}
	return v.show("console-settings", s)
}

// changeSettings takes who has to prove what, and for how long that is good.
func (v *visit) changeSettings() error {
	s, err := v.decided()
	if err != nil {
		return err
	}
	bad := map[string]string{}
	number := func(name string, into *int) {
		n, err := strconv.Atoi(v.form(name))
		if err != nil {
			bad[name] = v.T("field.number")
		}
		*into = n
	}
	s.MFA.Demand = settings.Demand(v.form("demand"))
	s.MFA.Methods, s.MFA.Roles = orNone(v.r.PostForm["methods"]), orNone(v.r.PostForm["roles"])
	number("grace_days", &s.MFA.GraceDays)
	s.Password.MinLength = nil
	if v.form("min_length") != "" {
		s.Password.MinLength = new(int)
		number("min_length", s.Password.MinLength)
	}
	number("access_seconds", &s.Tokens.AccessSeconds)
	number("refresh_idle_seconds", &s.Tokens.RefreshIdleSeconds)
	number("refresh_absolute_seconds", &s.Tokens.RefreshAbsoluteSeconds)
	number("max_per_user", &s.Sessions.MaxPerUser)
	s.ReturnURLs, s.AllowedOrigins = lines(v.form("return_urls")), lines(v.form("allowed_origins"))
	s.Locale = v.text("locale")
	if len(bad) > 0 {
		return v.render(http.StatusBadRequest, "console-settings", view{visit: v, Data: s, Wrong: v.T("error.invalid_request"), Fields: bad})
	}
	if err := v.decide(s); err != nil {
		if e := refused(err, "invalid_request"); e != nil { // by the names that the form has
			for path, why := range e.Details.Fields {
				e.Details.Fields[path[strings.LastIndexByte(path, '.')+1:]] = why
			}
		}
		return v.again(v.unlessAgain(err, "/console/settings"), "console-settings", s)
	}
	return v.done("/console/settings", "done.saved")
}
