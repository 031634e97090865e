package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// failure is what the page of an error shows.
type failure struct {
	Code    string
	Title   string
	Text    string
	Notices []string
	Request string // id, where it is our fault
	Begin   string // where to begin again
	Account string // for whoever is signed in
}

// fail answers with a page that says what went wrong and what to do.
func (v *visit) fail(err error) {
	e := asRefusal(v.r, err)
	// The session ended, here or elsewhere, or it is of another tenant that had this host. The cookie stays: by now it may be the
	// one of a sign-in in another tab, and this one will take its place.
	if v.access != "" && (e.Status == http.StatusUnauthorized || e.Code == "tenant_mismatch") {
		if v.says(message{Wrong: v.T("error.session_over")}) == nil && v.askAgain(v.where()) == nil {
			return
		}
	}
	if e.Status >= http.StatusInternalServerError && refused(err) == nil {
		rest.LogFailure(v.r.Context(), err)
	}
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	f := failure{Code: e.Code, Title: v.T("error.title"), Text: v.sentence(e), Notices: e.Notices, Begin: v.URL("/signin")}
	if key := "error.title." + e.Code; v.words.has(key) {
		f.Title = v.T(key)
	}
	if e.Status >= http.StatusInternalServerError {
		f.Request = rest.RequestID(v.r.Context())
	}
	switch {
	case v.tenant.ID.IsZero():
		f.Begin = ""
	case v.access != "":
		f.Begin, f.Account = "", v.Page("/account")
	}
	if err := v.render(e.Status, "failure", view{visit: v, Data: f}); err != nil {
		rest.Fail(v.w, v.r, err)
	}
}

// asRefusal is any error as the API would have told it.
func asRefusal(r *http.Request, err error) *refusal {
	if err == nil {
		return nil
	}
	if e := refused(err); e != nil {
		return e
	}
	p := problem.From(err)
	e := &refusal{Status: p.Kind.Status(), Code: p.Code, Message: p.Message, Notices: p.Notices, RetryAfter: p.RetryAfter}
	e.Details.RequestID = rest.RequestID(r.Context())
	return e
}

// sentence says a refusal in the language of the page: what happened, and what can be done.
func (v *visit) sentence(e *refusal) string {
	if e.Code == "weak_password" && len(e.Details.Reasons) > 0 {
		return v.weak(e)
	}
	wait := v.duration(e.RetryAfter)
	for _, key := range []string{"error." + e.Code, "error.status." + strconv.Itoa(e.Status)} {
		if v.words.has(key) {
			return v.T(key, "wait", wait)
		}
	}
	return e.Message
}

// weak says why a password was not taken.
func (v *visit) weak(e *refusal) string {
	var all []string
	for _, reason := range e.Details.Reasons {
		if key := "weak." + reason; v.words.has(key) {
			all = append(all, v.T(key, "least", e.Details.MinLength))
		}
	}
	return strings.Join(all, " ")
}

// fields says what is wrong with fields. The API says it in English, which is told to whoever reads that; to others it is said
// as far as we know it ourselves. What is said of a password as a whole stands at the top.
func (v *visit) fields(e *refusal) map[string]string {
	if len(e.Details.Fields) == 0 || e.Code == "weak_password" {
		return nil
	}
	said := map[string]string{}
	for name, text := range e.Details.Fields {
		switch key := "field." + name; {
		case v.Lang() == "en":
			said[name] = text
		case v.words.has(key):
			said[name] = v.T(key)
		default:
			said[name] = v.T("field.other")
		}
	}
	return said
}

// duration says how long, roughly, rounded up.
func (v *visit) duration(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return v.T("time.seconds", "n", max(1, int((d+time.Second-1)/time.Second)))
	case d <= time.Hour:
		return v.T("time.minutes", "n", int((d+time.Minute-1)/time.Minute))
	default:
		return v.T("time.hours", "n", int((d+time.Hour-1)/time.Hour))
	}
}

// gone is err, unless it is that what a form is about is not there: sent twice, or done elsewhere meanwhile.
func gone(err error) error {
	if e := refused(err, "not_found"); e != nil {
		e.Code = "gone"
	}
	return err
}

func notFound() error { return &refusal{Status: http.StatusNotFound, Code: "not_found"} }
