package pages

import (
	"net/http"
)

// profileBytes is the longest form with a picture, of which the API takes 256 KB as text.
const profileBytes = 300 << 10

// profilePage is who somebody is, and how they want to be written to.
type profilePage struct {
	Profile struct {
		Email       string  `json:"email"`
		FirstName   *string `json:"first_name"`
		LastName    *string `json:"last_name"`
		DisplayName *string `json:"display_name"`
		Avatar      *string `json:"avatar_base64"`
	}
	Preferences struct {
		Locale     *string `json:"locale"`
		TimeZone   *string `json:"timezone"`
		DateFormat *string `json:"date_format"`
		TimeFormat *string `json:"time_format"`
	}
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

// changeProfile changes what the form has.
func (v *visit) changeProfile() error {
	page, err := v.profilePage()
	if err != nil {
		return err
	}
	for name, into := range map[string]**string{"first_name": &page.Profile.FirstName, "last_name": &page.Profile.LastName,
		"display_name": &page.Profile.DisplayName, "locale": &page.Preferences.Locale, "timezone": &page.Preferences.TimeZone} {
		if v.r.PostForm.Has(name) {
			*into = v.text(name)
		}
	}
	said := map[string]any{"first_name": page.Profile.FirstName, "last_name": page.Profile.LastName, "display_name": page.Profile.DisplayName}
	switch uploaded, err := v.picture("avatar"); {
	case err != nil:
		return err
	case uploaded != "":
		said["avatar_base64"] = uploaded
	case v.form("no_avatar") != "":
		said["avatar_base64"] = nil
	}
	err = v.call(http.MethodPut, "/v1/users/me/profile", said, nil)
	if err == nil {
		err = v.call(http.MethodPut, "/v1/users/me/preferences", page.Preferences, nil)
	}
	if e := refused(err); e != nil && e.Details.Fields["avatar_base64"] != "" {
		e.Details.Fields["avatar"] = e.Details.Fields["avatar_base64"]
	}
	if err != nil {
		return v.again(err, "profile", page)
	}
	return v.done("/account", "done.saved")
}

// changeEmail asks for a mail to another address.
func (v *visit) changeEmail() error {
	email := v.form("new_email")
	err := v.call(http.MethodPost, "/v1/users/me/email", map[string]string{"new_email": email, "current_password": v.form("current_password")}, nil)
	if err != nil {
		return v.refusedPassword(err, "/account")
	}
	if err := v.keep(flow{Email: v.typed("new_email")}); err != nil {
		return err
	}
	return v.redirect("/account/email-sent")
}

// emailSent says where to look for the link.
func (v *visit) emailSent() error { return v.show("email-sent", v.flow.Email) }

// passwordPage says what a new password has to be.
type passwordPage struct{ Least int }

func (v *visit) askNewPassword() error {
	return v.show("change-password", passwordPage{v.set.MinLength()})
}

func (v *visit) changePassword() error {
	err := v.call(http.MethodPost, "/v1/users/me/password", map[string]string{"current_password": v.form("current_password"), "new_password": v.form("new_password")}, nil)
	if err != nil {
		return v.refusedPassword(err, "/account/password")
	}
	return v.done("/account/password", "done.password_changed")
}

// refusedPassword leads back to a page that asks for the current password, and says whether it was that.
func (v *visit) refusedPassword(err error, page string) error {
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate(page)
	}
	if e := refused(err, "invalid_credentials"); e != nil {
		e.Code = "wrong_password"
	}
	return v.backTo(v.Page(page), err)
}
