package pages

import (
	"net/http"
)

// mountAccount adds what people find about themselves.
func (p *Pages) mountAccount(at func(string, on)) {
	at("/account", on{get: needs((*visit).profile), post: needs((*visit).changeProfile)})
	at("/account/email", on{post: needs((*visit).changeEmail)})
	at("/account/password", on{get: needs((*visit).askNewPassword), post: needs((*visit).changePassword)})
	at("/account/security", on{get: needs((*visit).factors)})
	at("/account/security/remove", on{post: needs((*visit).removeFactor)})
	at("/account/security/codes", on{get: needs((*visit).codes), post: needs((*visit).newCodes)})
	at("/account/sessions", on{get: needs((*visit).sessions), post: needs((*visit).endSession)})
	at("/account/activity", on{get: needs((*visit).activity)})
	at("/backup-codes.txt", on{get: (*visit).downloadCodes})
}

// profilePage is who somebody is, and how they want to be written to.
type profilePage struct {
	Profile struct {
		Email       string  `json:"email"`
		Name        string  `json:"name"`
		FirstName   *string `json:"first_name"`
		LastName    *string `json:"last_name"`
		DisplayName *string `json:"display_name"`
	}
	Preferences struct {
		Locale     *string `json:"locale"`
		TimeZone   *string `json:"timezone"`
		DateFormat *string `json:"date_format"`
		TimeFormat *string `json:"time_format"`
	}
	NewEmail string
}

func (v *visit) profilePage() (p profilePage, err error) {
	if err = v.get("/v1/users/me/profile", nil, &p.Profile); err != nil {
		return p, err
	}
	return p, v.get("/v1/users/me/preferences", nil, &p.Preferences)
}

func (v *visit) profile() error {
	page, err := v.profilePage()
	if err != nil {
		return err
	}
	return v.show("profile", page)
}

// changeProfile changes what the form has. What a form leaves empty is unsaid.
func (v *visit) changeProfile() error {
	page, err := v.profilePage()
	if err != nil {
		return err
	}
	text := func(name string) *string {
		if s := v.form(name); s != "" {
			return &s
		}
		return nil
	}
	page.Profile.FirstName, page.Profile.LastName, page.Profile.DisplayName = text("first_name"), text("last_name"), text("display_name")
	page.Preferences.Locale, page.Preferences.TimeZone = text("locale"), text("timezone")
	err = v.call(http.MethodPut, "/v1/users/me/profile", map[string]any{
		"first_name": page.Profile.FirstName, "last_name": page.Profile.LastName, "display_name": page.Profile.DisplayName}, nil)
	if err == nil {
		err = v.call(http.MethodPut, "/v1/users/me/preferences", page.Preferences, nil)
	}
	if err != nil {
		return v.again(err, "profile", page)
	}
	return v.done("/account", "done.saved")
}

// done leads to a page that says what was done.
func (v *visit) done(path, said string) error {
	if err := v.keep(flow{Said: said}); err != nil {
		return err
	}
	v.to(v.Page(path))
	return nil
}

// changeEmail asks for a mail to another address.
func (v *visit) changeEmail() error {
	page, err := v.profilePage()
	if err != nil {
		return err
	}
	page.NewEmail = v.form("new_email")
	err = v.call(http.MethodPost, "/v1/users/me/email", map[string]string{"new_email": page.NewEmail, "current_password": v.form("current_password")}, nil)
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/account")
	}
	if err != nil {
		return v.again(err, "profile", page)
	}
	return v.render(http.StatusAccepted, "mail-sent", view{visit: v, Data: page.NewEmail})
}

// passwordPage says what a new password has to be.
type passwordPage struct{ Least int }

func (v *visit) askNewPassword() error {
	return v.show("change-password", passwordPage{v.set.MinLength()})
}

func (v *visit) changePassword() error {
	err := v.call(http.MethodPost, "/v1/users/me/password", map[string]string{"current_password": v.form("current_password"), "new_password": v.form("new_password")}, nil)
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/account/password")
	}
	if e := refused(err, "invalid_credentials"); e != nil {
		e.Code = "current_password"
	}
	if err != nil {
		return v.backTo(v.Page("/account/password"), flow{}, err)
	}
	return v.done("/account/password", "done.password_changed")
}
