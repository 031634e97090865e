package pages

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// The cookie of a session is the two tokens that the API gave out at sign-in, and nothing else: what it proves is proved
// by them. It ends with the browser, or when either of them does.
const tokenSeparator = "~" // in no token

// grant is the token answer.
type grant struct {
	Token         string   `json:"token"`
	RefreshToken  string   `json:"refresh_token"`
	SetupRequired bool     `json:"mfa_setup_required"`
	BackupCodes   []string `json:"backup_codes"`
	CodesLeft     *int     `json:"backup_codes_remaining"`
	Notices       []string `json:"notices"`
}

// renewBefore is how long before its end an access token is renewed: longer than a page takes.
const renewBefore = 15 * time.Second

// setSession has the browser keep the tokens. A session that it had before, and that this one does not go on with, ends: nobody
// could reach it any more.
func (v *visit) setSession(g grant) {
	if is, was := claimsOf(g.Token), claimsOf(v.accessKept()); was.Session != "" && was.Session != is.Session {
		if err := v.endKept(); err != nil && asRefusal(v.r, err).Status != http.StatusUnauthorized {
			rest.LogFailure(v.r.Context(), err)
		}
	}
	v.access = g.Token
	v.setLongCookie("session", g.RefreshToken+tokenSeparator+g.Token)
}

// kept are the tokens that the browser brings.
func (v *visit) kept() (refresh, access string) {
	refresh, access, _ = strings.Cut(v.longCookie("session"), tokenSeparator)
	return refresh, access
}

func (v *visit) accessKept() string {
	_, access := v.kept()
	return access
}

// endKept ends the session that the browser brings, also where its access token is over.
func (v *visit) endKept() error {
	refresh, access := v.kept()
	if !v.p.Now().Before(claimsOf(access).expires()) {
		var g grant
		if err := v.call(http.MethodPost, "/v1/auth/refresh", map[string]string{"refresh_token": refresh}, &g); err != nil {
			return err
		}
		access = g.Token
	}
	v.access = access
	return v.call(http.MethodPost, "/v1/auth/logout", nil, nil)
}

// signedIn reports whether the browser brings a session, and renews it where its access token is over. That the session
// still holds is for the API to say, with every call. A network that has brought many tokens that were good for nothing is told to wait
// in place of another refusal (docs/limits.md), so whoever is told so has no session either.
func (v *visit) signedIn() (bool, error) {
	if v.access != "" {
		return true, nil
	}
	refresh, access := v.kept()
	if access == "" {
		return false, nil
	}
	if v.p.Now().Add(renewBefore).Before(claimsOf(access).expires()) {
		v.access = access
		return true, nil
	}
	var g grant
	err := v.call(http.MethodPost, "/v1/auth/refresh", map[string]string{"refresh_token": refresh}, &g)
	switch {
	case err == nil:
		v.setSession(g)
	case refused(err, "rate_limited") != nil:
		err = nil
	case refused(err, "invalid_token", "tenant_mismatch", "invalid_request") != nil:
		v.dropLongCookie("session") // it is over, which is no fault
		err = nil
	}
	return err == nil && v.access != "", err
}

// claims are what pages read from an access token of a cookie. It is not verified: whoever writes into their own cookie is shown
// what they wrote, and refused by the API.
type claims struct {
	Expires int64    `json:"exp"`
	Session string   `json:"sid"`
	Proved  int64    `json:"auth_time"`
	User    string   `json:"sub"`
	Email   string   `json:"email"`
	Name    string   `json:"name"`
	Roles   []string `json:"roles"`
}

func (c claims) proved() time.Time { return time.Unix(c.Proved, 0) }

func (c claims) expires() time.Time { return time.Unix(c.Expires, 0) }

func claimsOf(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return claims{}
	}
	return c
}

// Administers reports whether to show the way to the console; what may be done there is for the API to say.
func (c claims) Administers() bool { return slices.Contains(c.Roles, "admin") }
