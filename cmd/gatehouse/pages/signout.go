package pages

import "net/http"

// askSignOut asks before: a link that signs out could be put anywhere.
func (v *visit) askSignOut() error { return v.show("signout", nil) }

// signOut ends the session, or all of them. Whatever becomes of that, this browser has none afterwards: whoever leaves a shared
// computer must be able to. That a session could not be ended elsewhere is told.
func (v *visit) signOut() error {
	path := "/v1/auth/logout"
	if v.form("everywhere") != "" {
		path = "/v1/auth/logout-all"
	}
	in, err := v.signedIn()
	if err == nil && in {
		err = v.call(http.MethodPost, path, nil, nil)
	}
	v.w.Header().Del("Set-Cookie") // of a session that was renewed to be ended
	v.dropLongCookie("session")
	v.dropCookie("flow")
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	if e := asRefusal(v.r, err); e != nil && e.Status != http.StatusUnauthorized && e.Code != "tenant_mismatch" {
		if err := v.says(message{Wrong: v.T("signout.elsewhere")}); err != nil {
			return err
		}
	}
	v.to(v.Page("/signed-out"))
	return nil
}

// signedOut says so.
func (v *visit) signedOut() error { return v.show("signed-out", nil) }
