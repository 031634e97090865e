package pages

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// errand is why somebody signs in: an application sent them and wants them back, or they were on their way to another page
// of ours. It is in the address of every page on the way, so that two tabs on two errands do not meet.
type errand struct {
	ReturnURL string // of an application; registered by the tenant
	State     string // the application's own, handed back as it came (RFC 6749 section 4.1.1)
	Challenge string // S256, of the verifier that the application will exchange the code with (RFC 7636)
	Next      string // a page of ours
	Prompt    bool   // they are to be asked whoever is signed in (OpenID Connect Core section 3.1.2.1, prompt=login)
}

const longestState = 500 // bytes

var (
	// s256 is what SHA-256 looks like in base64url.
	s256 = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	// ours are pages one may be on the way to: everything behind a sign-in, and nothing that could be read as another host.
	ours = regexp.MustCompile(`^/(account|console|platform)(/[a-z0-9-]+)*(\?id=[0-9a-f-]{36})?$`)
)

// readErrand reads it from the address and holds it against what the tenant has registered. Errors: 400 unknown_return_url;
// 400 invalid_request for a query that does not parse, invalid_errand for one that could not end.
func (v *visit) readErrand() (e errand, err error) {
	q, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return e, problem.Invalid("The query of the address is malformed.")
	}
	if next := q.Get("next"); ours.MatchString(next) {
		e.Next = next
	}
	e.Prompt = q.Get("prompt") == "login"
	if !q.Has("return_url") {
		return e, nil
	}
	e.ReturnURL, e.State, e.Challenge = q.Get("return_url"), q.Get("state"), q.Get("code_challenge")
	switch {
	case !slices.Contains(v.set.ReturnURLs, e.ReturnURL):
		return errand{}, &refusal{Status: http.StatusBadRequest, Code: "unknown_return_url", Message: "This application's return URL is not registered here."}
	case !s256.MatchString(e.Challenge) || q.Has("code_challenge_method") && q.Get("code_challenge_method") != "S256":
		return errand{}, v.badErrand("code_challenge")
	case len(e.State) > longestState:
		return errand{}, v.badErrand("state")
	}
	return e, nil
}

// badErrand is told to somebody whom an application sent with less than it has to; what it lacks is for those who run it.
func (v *visit) badErrand(parameter string) error {
	rest.AddLogAttrs(v.r.Context(), slog.String("bad_parameter", parameter), slog.String("return_url", v.r.URL.Query().Get("return_url")))
	return &refusal{Status: http.StatusBadRequest, Code: "invalid_errand", Message: "The application must send " + parameter + "."}
}

// query is the errand as a query of an address.
func (e errand) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"return_url": e.ReturnURL, "state": e.State, "code_challenge": e.Challenge, "next": e.Next} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if e.Prompt {
		q.Set("prompt", "login")
	}
	return q.Encode()
}

// back is the application's address with the answer to it. The URL is registered without a fragment; a query it has stays.
func (e errand) back(answer url.Values) (string, error) {
	u, err := url.Parse(e.ReturnURL)
	if err != nil {
		return "", err
	}
	q := u.Query()
	for name := range answer {
		q.Set(name, answer.Get(name))
	}
	if e.State != "" {
		q.Set("state", e.State)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
