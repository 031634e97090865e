package letter

import (
	"bytes"
	"errors"
	"fmt"
	html "html/template"
	"regexp"
	"slices"
	"strings"
	text "text/template"
	"text/template/parse"
)

// Template is how letters of one kind look in one language. HTML may be empty: then there is only the text.
type Template struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

// Templates are a tenant's own, by kind and language.
type Templates map[Kind]map[string]Template

// What a tenant may have stored in its settings, which every replica keeps in memory.
const (
	maxSubject = 200
	maxText    = 8 << 10
	maxHTML    = 16 << 10
	maxAll     = 32 << 10
	maxWritten = 128 << 10
)

var languageName = regexp.MustCompile(`^[a-z]{2,3}$`)

// Check reports every template that breaks a rule, by its path below the templates.
func (all Templates) Check() map[string]string {
	bad, size := map[string]string{}, 0
	for kind, byLanguage := range all {
		if !kind.Known() {
			bad[string(kind)] = "is no kind of mail"
			continue
		}
		for lang, t := range byLanguage {
			path := string(kind) + "." + lang
			size += len(t.Subject) + len(t.Text) + len(t.HTML)
			if !languageName.MatchString(lang) {
				bad[path] = "must be a language such as en"
				continue
			}
			for member, why := range t.check(kind) {
				bad[path+"."+member] = why
			}
		}
	}
	if size > maxAll {
		bad[""] = fmt.Sprintf("must be at most %d bytes together", maxAll)
	}
	return bad
}

// of is the tenant's template for the language, and no other language's: people read ours rather than a foreign one.
func (all Templates) of(k Kind, lang string) (Template, bool) {
	t, ok := all[k][lang]
	return t, ok
}

func (t Template) check(k Kind) map[string]string {
	bad := map[string]string{}
	part := func(name, source string, low, high int) {
		if len(source) < low || len(source) > high {
			bad[name] = fmt.Sprintf("must be %d to %d bytes", low, high)
		} else if err := allowed(k, source); err != nil {
			bad[name] = err.Error()
		}
	}
	part("subject", t.Subject, 1, maxSubject)
	part("text", t.Text, 1, maxText)
	part("html", t.HTML, 0, maxHTML)
	if strings.ContainsAny(t.Subject, "\r\n") {
		bad["subject"] = "must be one line"
	}
	if len(bad) > 0 {
		return bad
	}
	if _, err := t.write(k, k.only(nil)); err != nil { // what only the contexts of HTML show
		bad["html"] = "must be HTML whose fields stand in text or in quoted attributes"
	}
	return bad
}

// allowed holds a template against what templates may be made of.
func allowed(k Kind, source string) error {
	all := map[string]*parse.Tree{}
	tree, err := parse.New("").Parse(source, "", "", all)
	if err != nil {
		return errors.New("must be a template: " + strings.TrimPrefix(err.Error(), "template: :"))
	}
	for _, defined := range all {
		if defined != tree {
			return errOnlyFields
		}
	}
	return allowedList(k, tree.Root)
}

var errOnlyFields = errors.New("must hold nothing but fields and {{if}}")

func allowedList(k Kind, list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			err = allowedPipe(k, n.Pipe)
		case *parse.IfNode:
			err = errors.Join(allowedPipe(k, n.Pipe), allowedList(k, n.List), allowedList(k, n.ElseList))
		default:
			err = errOnlyFields
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func allowedPipe(k Kind, p *parse.PipeNode) error {
	if len(p.Decl) == 0 && len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 {
		if f, ok := p.Cmds[0].Args[0].(*parse.FieldNode); ok && len(f.Ident) == 1 && slices.Contains(k.Fields(), f.Ident[0]) {
			return nil
		}
	}
	return fmt.Errorf("{{%s}}: a mail of this kind has the fields .%s", clip(p.String()), strings.Join(k.Fields(), ", ."))
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// write fills the template in. It was checked when it was stored, perhaps by another version; so it is checked again.
func (t Template) write(k Kind, f Fields) (l Letter, err error) {
	for _, part := range []struct {
		source string
		into   *string
		fill   func(source string, f Fields) (string, error)
	}{{t.Subject, &l.Subject, fillText}, {t.Text, &l.Text, fillText}, {t.HTML, &l.HTML, fillHTML}} {
		err := allowed(k, part.source)
		if err == nil {
			*part.into, err = part.fill(part.source, f)
		}
		if err != nil {
			return Letter{}, errors.Join(ErrTemplate, err)
		}
	}
	l.Subject = strings.TrimSpace(printable(l.Subject))
	return l, nil
}

func fillText(source string, f Fields) (string, error) {
	t, err := text.New("").Option("missingkey=error").Parse(source)
	if err != nil {
		return "", err
	}
	var b bounded
	err = t.Execute(&b, f)
	return b.String(), err
}

func fillHTML(source string, f Fields) (string, error) {
	t, err := html.New("").Option("missingkey=error").Parse(source)
	if err != nil {
		return "", err
	}
	var b bounded
	err = t.Execute(&b, f)
	return b.String(), err
}

// bounded takes no more than a letter may be.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxWritten {
		return 0, errors.New("the letter is too long")
	}
	return b.Buffer.Write(p)
}
