package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

//go:embed catalogue/*.json
var catalogueFiles embed.FS

// catalogue is the words of one language.
type catalogue struct {
	Tag   string // BCP 47
	texts map[string]string
}

// languages are those we have words in; the first is for whoever reads none of them.
var languages = []string{"en", "fr", "de"}

var catalogues = sync.OnceValue(func() []*catalogue {
	all := make([]*catalogue, len(languages))
	for i, tag := range languages {
		data, err := catalogueFiles.ReadFile(path.Join("catalogue", tag+".json"))
		c := &catalogue{Tag: tag}
		if err == nil {
			err = json.Unmarshal(data, &c.texts)
		}
		if err != nil {
			panic("pages: catalogue " + tag + ": " + err.Error()) // it is in the binary
		}
		all[i] = c
	}
	return all
})

var matcher = sync.OnceValue(func() language.Matcher {
	tags := make([]language.Tag, len(languages))
	for i, l := range languages {
		tags[i] = language.MustParse(l)
	}
	return language.NewMatcher(tags)
})

// choosesWords takes the language that was asked for last by ui_locales (OpenID Connect Core section 3.1.2.1) and else what
// the browser prefers, and the tenant's own for one that prefers nothing we speak.
func (v *visit) choosesWords() {
	asked := v.r.URL.Query().Get("ui_locales")
	if asked != "" && len(asked) < 100 {
		asked = strings.ReplaceAll(asked, " ", ",")
		if i, ok := bestOf(asked); ok {
			v.setCookie("lang", languages[i], 365*24*time.Hour)
			v.words = catalogues()[i]
			return
		}
	}
	for _, wanted := range []string{v.cookie("lang"), v.r.Header.Get("Accept-Language"), v.set.Language(v.tenant)} {
		if i, ok := bestOf(wanted); ok {
			v.words = catalogues()[i]
			return
		}
	}
	v.words = catalogues()[0]
}

// bestOf is which of our languages suits best, if one does.
func bestOf(wanted string) (int, bool) {
	tags, _, err := language.ParseAcceptLanguage(wanted)
	if err != nil || len(tags) == 0 {
		return 0, false
	}
	_, i, confidence := matcher().Match(tags...)
	return i, confidence >= language.Low
}

// dir is which way the language is written. None of ours is written to the left yet; pages are laid out so that one could be.
func (c *catalogue) dir() string {
	script, _ := language.MustParse(c.Tag).Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}

// text is the text under a key, with {name} replaced by what follows the name in args.
func (c *catalogue) text(key string, args ...any) string {
	t, ok := c.texts[key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(args); i += 2 {
		t = strings.ReplaceAll(t, "{"+fmt.Sprint(args[i])+"}", fmt.Sprint(args[i+1]))
	}
	return t
}

// has reports whether there is a text under a key.
func (c *catalogue) has(key string) bool { _, ok := c.texts[key]; return ok }
