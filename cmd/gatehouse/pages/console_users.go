package pages

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// user is somebody of the tenant's.
type user struct {
	ID            string    `json:"id"`
	Email         string    `json:"email"`
	Name          string    `json:"name"`
	Roles         []string  `json:"roles"`
	Active        bool      `json:"active"`
	EmailVerified bool      `json:"email_verified"`
	Owner         bool      `json:"is_owner"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// usersPage is a page of them.
type usersPage struct {
	listPage[user]

	Query string
}

func (v *visit) users() error {
	p := usersPage{Query: v.r.URL.Query().Get("q")}
	q := url.Values{}
	if p.Query != "" {
		q.Set("q", p.Query)
	}
	var err error
	if p.listPage, err = list[user](v, "/v1/users", q); err != nil {
		return err
	}
	return v.show("console-users", p)
}

func (v *visit) askInvite() error { return v.show("console-invite", user{Roles: []string{"user"}}) }

// invite makes an account without a password, whose holder is sent an invitation.
func (v *visit) invite() error {
	u := user{Email: v.form("email"), Name: v.form("name"), Roles: v.r.PostForm["roles"]}
	var made user
	err := v.call(http.MethodPost, "/v1/users", map[string]any{"email": u.Email, "name": u.Name, "roles": orNone(u.Roles)}, &made)
	if err != nil {
		return v.again(v.unlessAgain(err, "/console/users/invite"), "console-invite", u)
	}
	return v.acted(nil, v.One("/console/user", made.ID), "done.invited")
}

func (v *visit) oneUser() (u user, err error) {
	return u, v.get("/v1/users/"+url.PathEscape(v.one()), nil, &u)
}

// user shows somebody and what can be done.
func (v *visit) user() error {
	u, err := v.oneUser()
	if err != nil {
		return err
	}
	return v.show("console-user", u)
}

// changeUser changes name and roles. One's own roles are not on the page: the last administrator would be none by one press, and another
// one can change them.
func (v *visit) changeUser() error {
	u, err := v.oneUser()
	if err != nil {
		return err
	}
	body := map[string]any{"name": v.form("name")}
	if roles := orNone(v.r.PostForm["roles"]); u.ID != v.Me().User && !slices.Equal(slices.Sorted(slices.Values(roles)), slices.Sorted(slices.Values(u.Roles))) {
		body["roles"] = roles
	}
	err = v.call(http.MethodPut, "/v1/users/"+url.PathEscape(u.ID), body, nil)
	return v.acted(err, v.One("/console/user", u.ID), "done.saved")
}

// userAct is something that is done to an account.
type userAct struct {
	path string // behind the user's
	body any
	ask  bool // before it is done
	done string
}

var userActs = map[string]userAct{
	"suspend":         {"/suspend", map[string]bool{"active": false}, true, "done.suspended"},
	"reactivate":      {"/suspend", map[string]bool{"active": true}, false, "done.reactivated"},
	"resend-invite":   {"/resend-invite", nil, false, "done.invited"},
	"reset-mfa":       {"/reset-mfa", nil, true, "done.factors_reset"},
	"revoke-sessions": {"/revoke-sessions", nil, true, "done.signed_out"},
	"unlock":          {"/unlock", nil, false, "done.unlocked"},
	"delete":          {"", nil, true, "done.user_deleted"},
}

// askActOnUser asks before.
func (v *visit) askActOnUser() error {
	u, err := v.oneUser()
	if err != nil {
		return err
	}
	do := v.r.URL.Query().Get("do")
	if !userActs[do].ask {
		v.to(v.One("/console/user", u.ID))
		return nil
	}
	return v.askSure("sure."+do, u.Email, "/console/user/act", "/console/users", map[string]string{"id": u.ID, "do": do})
}

// actOnUser does it. The owner's account is the owner's own, which the API sees to.
func (v *visit) actOnUser() error {
	id, do := v.one(), v.form("do")
	act, ok := userActs[do]
	if !ok {
		return notFound()
	}
	path, back := "/v1/users/"+url.PathEscape(id), v.One("/console/user", id)
	if do == "delete" {
		err := v.call(http.MethodDelete, path, nil, nil)
		if err == nil {
			back = v.Page("/console/users")
		}
		return v.acted(err, back, act.done)
	}
	return v.acted(v.call(http.MethodPost, path+act.path, act.body, nil), back, act.done)
}
