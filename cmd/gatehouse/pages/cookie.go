package pages

import (
	"net/http"
	"time"
)

// cookieName names a cookie of this tenant's pages. On the shared host tenants have one cookie jar, so each has names of
// its own there. A browser takes a name with this prefix only from the host itself, over TLS and for all its paths (RFC
// 6265bis section 4.1.3.2); it counts localhost as safe, and with it every tenant of gatehouse dev.
func (v *visit) cookieName(what string) string {
	if v.base != "" {
		what += "-" + v.tenant.ID.Hex()
	}
	return "__Host-" + what
}

// cookie reads a cookie; empty where there is none. One that was sent twice is not ours.
func (v *visit) cookie(what string) string {
	found := v.r.CookiesNamed(v.cookieName(what))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setCookie sends a cookie that scripts do not see and that other sites' requests carry only when they lead here. life is
// zero for as long as the browser runs.
func (v *visit) setCookie(what, value string, life time.Duration) {
	http.SetCookie(v.w, &http.Cookie{Name: v.cookieName(what), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// dropCookie has the browser forget a cookie, if it has one.
func (v *visit) dropCookie(what string) {
	if _, err := v.r.Cookie(v.cookieName(what)); err == nil {
		v.setCookie(what, "", -time.Second)
	}
}
