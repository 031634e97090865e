package pages

import (
	"net/http"
	"net/url"
	"time"
)

// session is one sign-in of somebody's.
type session struct {
	ID          string    `json:"id"`
	Device      *string   `json:"device"`
	Network     *string   `json:"network"`
	CreatedAt   time.Time `json:"created_at"`
	LastUsedAt  time.Time `json:"last_used_at"`
	Current     bool      `json:"current"`
	Application *string   `json:"application"`
}

func (v *visit) sessions() error {
	page, err := list[session](v, "/v1/users/me/sessions", nil)
	if err != nil {
		return err
	}
	return v.show("sessions", page)
}

// endSession ends one of them.
func (v *visit) endSession() error {
	err := v.call(http.MethodDelete, "/v1/users/me/sessions/"+url.PathEscape(v.form("id")), nil, nil)
	if err != nil {
		return v.backTo(v.Page("/account/sessions"), gone(err))
	}
	return v.done("/account/sessions", "done.session_ended")
}
