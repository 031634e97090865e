package pages

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Every text is there in every language, with the same fields to be filled in.
func TestLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	field := regexp.MustCompile(`\{[a-z]+\}`)
	all := catalogues()
	for _, c := range all[1:] {
		for key, english := range all[0].texts {
			text, ok := c.texts[key]
			if !ok || text == "" {
				t.Errorf("%s has no %s", c.Tag, key)
				continue
			}
			want, got := field.FindAllString(english, -1), field.FindAllString(text, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s has the fields %v and not %v", c.Tag, key, got, want)
			}
		}
		for key := range c.texts {
			if !all[0].has(key) {
				t.Errorf("%s has %s, which English has not", c.Tag, key)
			}
		}
	}
}

// A text that templates ask for is there, and one that nothing asks for is gone.
func TestTextsAreThoseOfThePages(t *testing.T) {
	t.Parallel()
	literal, family := regexp.MustCompile(`(?:T|Said:|,) "([a-z_./-]+)"`), regexp.MustCompile(`printf "([a-z_./]+)%s"`)
	var sources strings.Builder
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(name); err != nil || ext != ".html" && ext != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		data, err := os.ReadFile(name)
		sources.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	english := catalogues()[0]
	asked := map[string]bool{}
	for _, m := range literal.FindAllStringSubmatch(sources.String(), -1) {
		if english.has(m[1]) {
			asked[m[1]] = true
		} else if strings.Contains(m[1], ".") && strings.Contains(m[0], "T ") {
			t.Errorf("templates ask for %s, which is not in the catalogue", m[1])
		}
	}
	families := []string{"error.", "field.", "action.", "tab.", "time.", "weak.", "sure."}
	for _, m := range family.FindAllStringSubmatch(sources.String(), -1) {
		families = append(families, m[1])
	}
	for _, m := range regexp.MustCompile(`"([a-z_]+\.)" `).FindAllStringSubmatch(sources.String(), -1) { // of choices
		families = append(families, m[1])
	}
	for key := range english.texts {
		if base, ok := strings.CutSuffix(key, "_hint"); ok && english.has(base) {
			continue
		}
		if !asked[key] && !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) }) && !strings.Contains(sources.String(), `"`+key+`"`) {
			t.Errorf("nothing asks for %s", key)
		}
	}
}

func named[S ~string](all []S) (names []string) {
	for _, s := range all {
		names = append(names, string(s))
	}
	return names
}

// Where the name of a text is put together, there is one for all that it can be put together of.
func TestFamiliesOfTextsAreWhole(t *testing.T) {
	t.Parallel()
	english := catalogues()[0]
	for prefix, members := range map[string][]string{
		"method.": append(slices.Clone(settings.Methods), "backup_code"),
		"weak.":   {string(password.TooShort), string(password.Common), string(password.Repeated), string(password.Sequence), string(password.ContainsUser), string(password.ContainsTenant), string(password.ContainsService), string(password.Breached)},
		"actor.":  {"you", "administrator", "anonymous", "api_key", "operator", "platform", "system"},
		"tab.": {"/account", "/account/password", "/account/security", "/account/sessions", "/account/activity", "/console/users", "/console/domains", "/console/branding",
			"/console/settings", "/console/policies", "/console/keys", "/console/audit", "/platform", "/platform/create", "/platform/health"},
		"action.":            named(audit.Actions()),
		"actor_type.":        {"user", "anonymous", "api_key", "operator", "platform", "system"},
		"domain_state.":      named([]tenancy.DomainState{tenancy.DomainPending, tenancy.DomainVerified, tenancy.DomainFailing, tenancy.DomainLost}),
		"domain_use.":        {"host", "email"},
		"demand.":            named([]settings.Demand{settings.Off, settings.Optional, settings.Roles, settings.All}),
		"mode.":              {"enforce", "shadow"},
		"change.":            {"denied", "asked", "permitted", "uncertain"},
		"link.title.":        {"verify", "confirm"},
		"newpassword.title.": {"initial", "reset"},
		"factor.heading.":    append(slices.Clone(settings.Methods), "backup_code"),
		"enrol.text.":        settings.Methods,
		"key.heading.":       {"webauthn_passkey", "webauthn_fido"},
		"role.":              {"user", "admin"},
		"field.":             {"locale", "timezone", "other"},
	} {
		for _, m := range members {
			if !english.has(prefix + m) {
				t.Errorf("there is no %s%s", prefix, m)
			}
		}
	}
}

// What is asked before it is done has words for it.
func TestEveryQuestionIsWhole(t *testing.T) {
	t.Parallel()
	english := catalogues()[0]
	questions := []string{"domain_remove", "domain_primary", "policy_delete", "key_revoke"}
	for do, act := range userActs {
		if act.ask {
			questions = append(questions, do)
		}
		if !english.has(act.done) {
			t.Errorf("there is no %s", act.done)
		}
	}
	for _, q := range questions {
		for _, part := range []string{"heading", "text", "button"} {
			if !english.has("sure." + q + "." + part) {
				t.Errorf("there is no sure.%s.%s", q, part)
			}
		}
	}
}

// Whatever colour a tenant was let have, its links can be read on a dark page.
func TestColoursCanBeReadInTheDark(t *testing.T) {
	t.Parallel()
	dark := mustColour(darkPage)
	for _, hex := range []string{"#000000", "#1f4f8f", "#b00020", "#00008b", "#767676", "#006400"} {
		if c := mustColour(hex).readableOn(dark); c.contrast(dark) < leastContrast {
			t.Errorf("%s became %s, with a contrast of %.2f", hex, c, c.contrast(dark))
		}
	}
	if got := mustColour("#000000").contrast(mustColour("#ffffff")); got < 20.99 || got > 21.01 {
		t.Errorf("black on white has a contrast of %.2f, and not 21", got)
	}
	if got := mustColour("#777777").contrast(mustColour("#ffffff")); got < 4.47 || got > 4.49 { // the well-known just-not-enough grey
		t.Errorf("#777777 on white has a contrast of %.2f, and not 4.48", got)
	}
}

func TestOnlyOurPagesAreGoneOnTo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/account", "/account/security", "/console/users"} {
		if !ours.MatchString(path) {
			t.Errorf("%s is none of ours", path)
		}
	}
	for _, path := range []string{"", "/", "//evil.example", "/account//evil.example", "https://evil.example", "/account/../signin", "/account?x", "/account\n", "/accounts", `/\evil.example`, "/t/other/account"} {
		if ours.MatchString(path) {
			t.Errorf("%q is ours", path)
		}
	}
}

func TestTemplatesAreWhole(t *testing.T) {
	t.Parallel()
	for name, tmpl := range templates() {
		for _, part := range []string{"layout", "title", "main"} {
			if tmpl.Lookup(part) == nil {
				t.Errorf("%s has no %s", name, part)
			}
		}
	}
}

// That the service is not ready is an answer, and says what is missing.
func TestReadinessIsReadEitherWay(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		status int
		said   readiness
	}{
		`{"status":"ready","postgres":"ok","custody":"ok","mail":"waiting"}`:                                                              {200, readiness{Postgres: "ok", Custody: "ok", Mail: "waiting"}},
		`{"code":"unavailable","message":"No.","details":{"request_id":"x","postgres":"ok","custody":"unavailable","server":"draining"}}`: {503, readiness{Postgres: "ok", Custody: "unavailable", Server: "draining"}},
	} {
		api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(want.status)
			_, _ = io.WriteString(w, body)
		})
		v := &visit{p: New(Options{API: api}), r: httptest.NewRequest(http.MethodGet, "/platform/health", nil)}
		if got, err := v.readiness(); err != nil || got != want.said {
			t.Errorf("%d %s is read as %+v, %v", want.status, body, got, err)
		}
	}
}

// A language that is written to the left needs no other sheet: nothing is said about left and right.
func TestTheSheetKnowsNoLeftAndRight(t *testing.T) {
	t.Parallel()
	data, err := assetFiles.ReadFile("assets/pages.css")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(data), "\n") {
		if found := regexp.MustCompile(`\b(left|right)\b|\b(width|height|margin|padding)-(left|right|top|bottom)\b|\bfloat\b`).FindString(line); found != "" && !strings.Contains(line, "/*") {
			t.Errorf("line %d says %s: %s", n+1, found, line)
		}
	}
}
