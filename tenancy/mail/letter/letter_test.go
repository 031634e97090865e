package letter

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// full are values for all fields of a kind.
func full(k Kind) Fields {
	f := Fields{}
	for _, name := range k.Fields() {
		f[name] = "the-" + name
	}
	f["link"] = "https://acme.example/reset?token=abc"
	return f
}

func TestEveryKindIsWrittenInEveryLanguage(t *testing.T) {
	t.Parallel()
	for lang := range languages {
		for _, k := range Kinds {
			template := builtin(k, lang)
			if bad := template.check(k); len(bad) > 0 {
				t.Errorf("%s in %s breaks the rules for tenants: %v", k, lang, bad)
			}
			for name, f := range map[string]Fields{"with all fields": full(k), "with none": {}} {
				l, err := Write(k, lang, nil, f)
				if err != nil || l.Subject == "" || l.Text == "" || l.HTML == "" || strings.Contains(l.Text+l.HTML+l.Subject, "{{") {
					t.Errorf("%s in %s %s: %v %+v", k, lang, name, err, l)
				}
				if has := strings.Contains(l.Text, f["link"]) && strings.Contains(l.HTML, `href="`+f["link"]); k.CarriesLink() && f["link"] != "" && !has {
					t.Errorf("%s in %s does not hold its link: %+v", k, lang, l)
				}
			}
		}
		if n := len(languages[lang].letters); n != len(Kinds) {
			t.Errorf("%s has %d letters for %d kinds", lang, n, len(Kinds))
		}
	}
}

func TestTheLanguageIsThatOfTheLocale(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{"de": "Guten Tag", "de-AT": "Guten Tag", "DE_ch": "Guten Tag", "en-GB": "Hello", "fr": "Hello", "": "Hello"} {
		if l, err := Write(PasswordChanged, locale, nil, Fields{}); err != nil || !strings.HasPrefix(l.Text, want) {
			t.Errorf("%q: %v %q", locale, err, l.Text)
		}
	}
}

func TestATenantsTemplateGoesBeforeOurs(t *testing.T) {
	t.Parallel()
	own := Templates{PasswordChanged: {"de": {Subject: "Neu bei {{.tenant}}", Text: "{{if .name}}{{.name}}{{else}}Sie{{end}}", HTML: "<b title=\"{{.name}}\">{{.name}}</b>"}}}
	if bad := own.Check(); len(bad) > 0 {
		t.Fatal(bad)
	}
	l, err := Write(PasswordChanged, "de-DE", own, Fields{"tenant": "Acme", "name": `<script>"x"</script>`})
	if err != nil || l.Subject != "Neu bei Acme" || l.Text != `<script>"x"</script>` || strings.Contains(l.HTML, "<script") || strings.Contains(l.HTML, `"x"`) {
		t.Errorf("%v %+v", err, l)
	}
	if l, _ := Write(PasswordChanged, "en", own, Fields{}); !strings.HasPrefix(l.Text, "Hello") {
		t.Errorf("another language than the tenant's own: %+v", l)
	}
	if l, _ := Write(PasswordResetDone, "de", own, Fields{}); !strings.HasPrefix(l.Text, "Guten Tag") {
		t.Errorf("another kind: %+v", l)
	}
}

// Somebody waits for the letter: a template that got past an older check is no reason to keep it.
func TestATemplateThatCannotBeUsedIsReplacedByOurs(t *testing.T) {
	t.Parallel()
	own := Templates{ResetPassword: {"en": {Subject: "x", Text: "{{.password}}"}}}
	l, err := Write(ResetPassword, "en", own, full(ResetPassword))
	if !errors.Is(err, ErrTemplate) || !strings.Contains(l.Text, "the-tenant") || !strings.Contains(l.Text, "token=abc") {
		t.Errorf("%v %+v", err, l)
	}
}

func TestTemplatesAreFieldsAndChoicesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"{{.unknown}}", "{{.link}}", "{{.name.first}}", "{{.}}", "{{$}}", "{{$x := .name}}", "{{printf \"%1000000d\" 1}}", "{{len .name}}",
		"{{.name | html}}", "{{html .name}}", "{{js .name}}", "{{index . \"link\"}}", "{{call .name}}", "{{range .}}x{{end}}", "{{with .name}}{{.}}{{end}}",
		"{{template \"x\"}}", "{{define \"x\"}}{{end}}", "{{define \"\"}}{{printf \"x\"}}{{end}}", "{{.name}}{{define \"\"}}{{printf \"x\"}}{{end}}", "{{block \"x\" .}}{{end}}", "{{if .unknown}}{{end}}", "{{if and .name .tenant}}{{end}}",
		"{{if false}}{{.unknown}}{{end}}", "{{if .name}}{{range .}}{{end}}{{end}}", "{{\"text\"}}", "{{1}}", "{{.name", "{{end}}", "{{break}}", "{{if .name}}",
	} {
		for name, template := range map[string]Template{"subject": {Subject: source, Text: "x"}, "text": {Subject: "x", Text: source}, "html": {Subject: "x", Text: "x", HTML: source}} {
			if bad := (Templates{PasswordChanged: {"en": template}}).Check(); bad["password_changed.en."+name] == "" {
				t.Errorf("%s %q is taken: %v", name, source, bad)
			}
		}
	}
}

func TestTemplatesAreBounded(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		all  Templates
		path string
	}{
		"an unknown kind":                 {Templates{"newsletter": {"en": {Subject: "x", Text: "x"}}}, "newsletter"},
		"a language that is none":         {Templates{PasswordChanged: {"../en": {Subject: "x", Text: "x"}}}, "password_changed.../en"},
		"no subject":                      {Templates{PasswordChanged: {"en": {Text: "x"}}}, "password_changed.en.subject"},
		"no text":                         {Templates{PasswordChanged: {"en": {Subject: "x"}}}, "password_changed.en.text"},
		"a long subject":                  {Templates{PasswordChanged: {"en": {Subject: long(maxSubject + 1), Text: "x"}}}, "password_changed.en.subject"},
		"a long text":                     {Templates{PasswordChanged: {"en": {Subject: "x", Text: long(maxText + 1)}}}, "password_changed.en.text"},
		"a subject of two lines":          {Templates{PasswordChanged: {"en": {Subject: "x\r\nBcc: y", Text: "x"}}}, "password_changed.en.subject"},
		"much together":                   {many(t), ""},
		"a field in a script":             {Templates{PasswordChanged: {"en": {Subject: "x", Text: "x", HTML: "<script>`{{.name}}"}}}, "password_changed.en.html"},
		"a field where no context is one": {Templates{PasswordChanged: {"en": {Subject: "x", Text: "x", HTML: "<a href={{if .name}}\"x{{else}}'{{end}}{{.name}}>"}}}, "password_changed.en.html"},
	} {
		if bad := c.all.Check(); bad[c.path] == "" {
			t.Errorf("%s is taken: %v", name, bad)
		}
	}
}

func many(t *testing.T) Templates {
	t.Helper()
	all := Templates{}
	for _, k := range Kinds[:5] {
		all[k] = map[string]Template{"en": {Subject: "x", Text: strings.Repeat("x", maxText)}}
	}
	return all
}

func TestWhatPeopleChooseStaysOnItsLine(t *testing.T) {
	t.Parallel()
	l, err := Write(FactorAdded, "en", nil, Fields{"tenant": "Acme\r\nBcc: eve@evil.example", "device_name": "phone\n\nYour account is closed, call 0190\u2028now"})
	if err != nil || strings.ContainsAny(l.Subject, "\r\n") || strings.Contains(l.Text, "\n\nYour account") || strings.ContainsRune(l.Text, '\u2028') {
		t.Errorf("%v %+v", err, l)
	}
	if l, _ = Write(FactorAdded, "en", nil, Fields{"device_name": strings.Repeat("x", 100_000)}); len(l.Text) > 2*maxField {
		t.Errorf("a letter of %d bytes", len(l.Text))
	}
}

func TestDurationsInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration][2]string{
		30 * time.Minute: {"30 minutes", "30 Minuten"}, time.Hour: {"1 hour", "1 Stunde"}, 24 * time.Hour: {"1 day", "1 Tag"},
		7 * 24 * time.Hour: {"7 days", "7 Tage"}, 90 * time.Minute: {"90 minutes", "90 Minuten"}, time.Second: {"1 minute", "1 Minute"},
	} {
		if en, de := Duration("en", d), Duration("de-DE", d); en != want[0] || de != want[1] {
			t.Errorf("%s is %q and %q, want %q", d, en, de, want)
		}
	}
}

// FuzzTemplate: whatever is taken can be filled in, is bounded, and lets nothing of a field be read as HTML.
func FuzzTemplate(f *testing.F) {
	for _, source := range []string{"{{.name}}", "<a href=\"{{.link}}\">{{.name}}</a>", "{{if .name}}<b>{{else}}<i title='{{.tenant}}'>{{end}}",
		"<style>{{.name}}</style>", "<a href={{.name}}>", "<!-- {{.name}} -->", "<script>var x = {{.name}}</script>", "{{/* c */}}", "{{- .name -}}"} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		own := Templates{ResetPassword: {"en": {Subject: "x", Text: source, HTML: source}}}
		if len(own.Check()) > 0 {
			return
		}
		fields := full(ResetPassword)
		fields["name"] = "<img src=x onerror=alert(1)>"
		l, err := Write(ResetPassword, "en", own, fields)
		if err == nil && (len(l.Text) > maxWritten || len(l.HTML) > maxWritten) {
			t.Errorf("%q gives a letter of %d and %d bytes", source, len(l.Text), len(l.HTML))
		}
		if err == nil && !strings.Contains(source, "<img") && strings.Contains(l.HTML, "<img src=x") {
			t.Errorf("%q gives %q", source, l.HTML)
		}
		if err != nil && !errors.Is(err, ErrTemplate) {
			t.Errorf("%q: %v", source, err)
		}
	})
}
