package pages

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Mount adds all pages.
func (p *Pages) Mount(r *mux.Router) {
	mountAssets(r)
	r.Handle("/logo", rest.Methods{http.MethodGet: p.logo})
	at := func(path string, do on) { p.at(r, path, do) }
	at("/", on{get: (*visit).home})

	at("/signin", on{get: (*visit).askIdentifier, post: (*visit).identify})
	at("/signin/password", on{get: (*visit).askPassword, post: (*visit).signIn})
	at("/signin/passkey", form("/signin", (*visit).signInByPasskey))
	at("/signin/factor", on{get: (*visit).askFactor, post: (*visit).proveFactor})
	p.mountEnrolment(at, owed{})
	at("/signin/over", on{get: (*visit).over})
	at("/signin/return", on{get: (*visit).backToApplication})
	at("/signin/done", on{get: (*visit).finished, post: (*visit).goOn})
	at("/signout", on{get: (*visit).askSignOut, post: (*visit).signOut})
	at("/signed-out", on{get: (*visit).signedOut})

	at("/verify-email", proving("verify", "/v1/auth/verify-email", "done.verified"))
	at("/confirm-email", proving("confirm", "/v1/auth/confirm-email-change", "done.email_changed"))
	at("/set-password", newPassword("initial", "/v1/auth/set-initial-password", "password", "done.password_set"))
	at("/reset-password", newPassword("reset", "/v1/auth/reset-password", "new_password", "done.password_reset"))
	at("/verify-email/again", form("/signin", asking("/v1/auth/resend-verification", "/signin")))
	at("/forgot", on{get: (*visit).askForgot, post: asking("/v1/auth/request-password-reset", "/forgot")})
	at("/mail-sent", on{get: (*visit).mailSent})

	at("/account", on{get: needs((*visit).profile), post: needs((*visit).changeProfile), body: profileBytes})
	at("/account/email", form("/account", (*visit).changeEmail))
	at("/account/email-sent", on{get: needs((*visit).emailSent)})
	at("/account/password", on{get: needs((*visit).askNewPassword), post: needs((*visit).changePassword)})
	at("/account/security", on{get: needs((*visit).factors)})
	p.mountEnrolment(at, further{})
	at("/account/security/remove", on{get: needs((*visit).askRemoveFactor), post: needs((*visit).removeFactor)})
	at("/account/security/codes", on{get: needs((*visit).codes), post: needs((*visit).keptCodes)})
	at("/account/security/new-codes", on{get: needs((*visit).askNewCodes), post: needs((*visit).newCodes)})
	at("/account/sessions", on{get: needs((*visit).sessions), post: needs((*visit).endSession)})
	at("/account/activity", on{get: needs((*visit).activity)})
	at("/backup-codes.txt", on{get: needs((*visit).downloadCodes)})

	p.mountConsole(at)
	p.mountPlatform(at)
}

// on is what a page does by method. A page that takes forms answers GET, too: people reload, go back, and choose another
// language where a form led them.
type on struct {
	get, post func(*visit) error
	body      int64         // longest form, in bytes; zero is the usual limit
	time      time.Duration // that it may take; zero is the usual limit
}

// form is an address that takes the form of another page, to which everybody is led who comes without it.
func form(page string, post func(*visit) error) on {
	return on{get: func(v *visit) error { v.to(v.URL(page)); return nil }, post: func(v *visit) error {
		if ours.MatchString(page) { // it is for whoever is signed in
			return v.needs(page, post)
		}
		return post(v)
	}}
}

// at adds a page. Where its handler fails, the answer is a page, too.
func (p *Pages) at(r *mux.Router, path string, do on) {
	m := rest.Methods{}
	for method, h := range map[string]func(*visit) error{http.MethodGet: do.get, http.MethodPost: do.post} {
		if h == nil {
			continue
		}
		m[method] = rest.Limits{Body: do.body, Time: do.time}.Apply(func(w http.ResponseWriter, r *http.Request) error {
			v, err := p.visit(w, r)
			if err == nil {
				err = h(v)
			}
			if err != nil {
				v.fail(err)
			}
			return nil
		})
	}
	r.Handle(path, m)
}

// NotFound tells a person so on a page, and everybody else in the shape of the API.
func (p *Pages) NotFound(w http.ResponseWriter, r *http.Request) error {
	reads := r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
	if !reads || strings.HasPrefix(r.URL.Path, "//") || strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasPrefix(r.URL.Path, "/.well-known/") {
		return problem.NotFound()
	}
	v, err := p.visit(w, r)
	if err == nil {
		err = problem.NotFound()
	}
	v.fail(err)
	return nil
}
