package letter

import (
	"strings"
	"sync"
)

// words are a letter of ours. Paragraphs may hold fields and no other markup, so that text and HTML are made of one
// source.
type words struct {
	subject    string
	paragraphs []string
	action     string   // what the link is called, where the kind has one
	after      []string // what comes after the link
}

// wording is everything we say in one language.
type wording struct {
	greeting, greetingUnnamed string
	signature                 string
	link                      string // before the address in full, for those who cannot click
	letters                   map[Kind]words
}

// Languages that we write. Whoever reads another one reads English.
var languages = map[string]wording{"en": english, "de": german}

// builtin is our template. They are made once: the sources are ours and do not change.
func builtin(k Kind, lang string) Template {
	if _, ok := languages[lang]; !ok {
		lang = "en"
	}
	return builtins()[lang][k]
}

var builtins = sync.OnceValue(func() map[string]map[Kind]Template {
	all := map[string]map[Kind]Template{}
	for lang, w := range languages {
		all[lang] = map[Kind]Template{}
		for k, l := range w.letters {
			all[lang][k] = Template{Subject: l.subject, Text: w.text(l), HTML: w.html(lang, l)}
		}
	}
	return all
})

func (w wording) text(l words) string {
	parts := append([]string{"{{if .name}}" + w.greeting + "{{else}}" + w.greetingUnnamed + "{{end}}"}, l.paragraphs...)
	if l.action != "" {
		parts = append(parts, l.action+":\n{{.link}}")
	}
	parts = append(append(parts, l.after...), w.signature)
	return strings.Join(parts, "\n\n") + "\n"
}

// html needs no style sheet and loads nothing: many programs show neither, and what loads something tells who reads when.
func (w wording) html(lang string, l words) string {
	var b strings.Builder
	paragraph := func(s string) { b.WriteString("<p>" + s + "</p>\n") }
	b.WriteString(`<!doctype html><html lang="` + lang + `"><head><meta charset="utf-8"><title>{{.tenant}}</title></head>` +
		`<body style="font-family:sans-serif;line-height:1.5;max-width:36em;margin:2em auto;padding:0 1em">` + "\n")
	paragraph("{{if .name}}" + w.greeting + "{{else}}" + w.greetingUnnamed + "{{end}}")
	for _, p := range l.paragraphs {
		paragraph(p)
	}
	if l.action != "" {
		paragraph(`<a href="{{.link}}" style="display:inline-block;padding:.6em 1.2em;background:#1f4f8f;color:#fff;border-radius:4px;text-decoration:none">` + l.action + `</a>`)
		paragraph(`<small>` + w.link + `<br>{{.link}}</small>`)
	}
	for _, p := range l.after {
		paragraph(p)
	}
	paragraph(w.signature)
	b.WriteString("</body></html>\n")
	return b.String()
}
