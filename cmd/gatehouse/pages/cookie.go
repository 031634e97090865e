package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cookieName names a cookie of this tenant's pages. On the shared host tenants have one cookie jar, so each has names of
// its own there. A browser takes a name with this prefix only from the host itself, over TLS and for all its paths (RFC
// 6265bis section 4.1.3.2); it counts localhost as safe, and with it every tenant of gatehouse dev.
func (v *visit) cookieName(what string) string {
	if v.shared && what != "lang" { // which language somebody reads is the same for all of them
		what += "-" + v.tenant.ID.Hex()
	}
	return hostPrefix + what
}

const hostPrefix = "__Host-"

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

// A browser takes 4,096 bytes of a cookie and drops a longer one without a word, and the tokens of a tenant with many audiences
// are longer. So they are kept in pieces: session, session-1, session-2.
const (
	longestPiece = 3800
	mostPieces   = 3
)

func piece(what string, i int) string {
	if i == 0 {
		return what
	}
	return what + "-" + strconv.Itoa(i)
}

func (v *visit) longCookie(what string) string {
	var b strings.Builder
	for i := range mostPieces {
		part := v.cookie(piece(what, i))
		b.WriteString(part)
		if len(part) < longestPiece {
			break
		}
	}
	return b.String()
}

// setLongCookie sets as many pieces as are needed, and one that is empty behind a last one that is full.
func (v *visit) setLongCookie(what, value string) {
	for i := range mostPieces {
		part := value[:min(len(value), longestPiece)]
		if value = value[len(part):]; part == "" && i > 0 {
			v.dropCookie(piece(what, i))
			continue
		}
		v.setCookie(piece(what, i), part, 0)
	}
}

func (v *visit) dropLongCookie(what string) {
	for i := range mostPieces {
		v.dropCookie(piece(what, i))
	}
}

// crowded is how many bytes of cookies are too many for comfort: at three times as many the server refuses the request.
const crowded = 6 << 10

// makeRoom has a browser that has been at many tenants of the shared host forget what was under way at the others.
func (v *visit) makeRoom() {
	if !v.shared || len(strings.Join(v.r.Header["Cookie"], "")) < crowded {
		return
	}
	for _, c := range v.r.Cookies() {
		what, of, _ := strings.Cut(strings.TrimPrefix(c.Name, hostPrefix), "-")
		if (what == "flow" || what == "message") && of != v.tenant.ID.Hex() {
			http.SetCookie(v.w, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
	}
}
