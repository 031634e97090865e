package pages

import (
	"net/http"
	"net/url"
	"time"
)

// session is one sign-in of somebody's.
type session struct {
	ID         string    `json:"id"`
	Device     *string   `json:"device"`
	Network    *string   `json:"network"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	Current    bool      `json:"current"`
}

// listPage is a page of a list of the API.
type listPage[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

// list reads the page of a list that the address asks for.
func list[T any](v *visit, path string, q url.Values) (p listPage[T], err error) {
	if q == nil {
		q = url.Values{}
	}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
	}
	return p, v.get(path, q, &p)
}

// Further is where the next page of a list is.
func (v *visit) Further(cursor string) string {
	q := v.r.URL.Query()
	q.Set("cursor", cursor)
	return v.base + v.r.URL.Path + "?" + q.Encode()
}

func (v *visit) sessions() error {
	page, err := list[session](v, "/v1/users/me/sessions", nil)
	if err != nil {
		return err
	}
	return v.show("sessions", page)
}

// endSession ends one, or all of them, this one included.
func (v *visit) endSession() error {
	if v.form("all") != "" {
		if err := v.call(http.MethodPost, "/v1/auth/logout-all", nil, nil); err != nil {
			return err
		}
		v.dropCookie("session")
		v.to(v.Page("/signed-out"))
		return nil
	}
	err := v.call(http.MethodDelete, "/v1/users/me/sessions/"+url.PathEscape(v.form("id")), nil, nil)
	if err != nil && refused(err, "not_found") == nil { // ended already: sent twice
		return err
	}
	return v.done("/account/sessions", "done.session_ended")
}

// entry is something that the audit log has of somebody.
type entry struct {
	Action    string    `json:"action"`
	ActorType string    `json:"actor_type"`
	Network   *string   `json:"network"`
	CreatedAt time.Time `json:"created_at"`
}

func (v *visit) activity() error {
	page, err := list[entry](v, "/v1/users/me/activity", nil)
	if err != nil {
		return err
	}
	return v.show("activity", page)
}

// Action says what an action of the audit log is, in the language of the page.
func (v *visit) Action(name string) string {
	if key := "action." + name; v.words.has(key) {
		return v.T(key)
	}
	return name
}
