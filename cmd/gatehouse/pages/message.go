package pages

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// message is what one page has to say on the next, once.
type message struct {
	Done   string            `json:"d,omitempty"` // what was done; a key of the catalogue
	Wrong  string            `json:"w,omitempty"` // what went wrong; a sentence
	Blames string            `json:"b,omitempty"` // the field that Wrong is about
	Fields map[string]string `json:"f,omitempty"` // what is wrong with each field
}

const messageLife = time.Minute

// says has the next page say something.
func (v *visit) says(m message) error { return sealCookie(v, "message", m, messageLife) }

// done leads to a page that says what was done.
func (v *visit) done(path, said string) error {
	if err := v.says(message{Done: said}); err != nil {
		return err
	}
	v.to(v.Page(path))
	return nil
}

// backTo leads back to the page of a form that was refused, and has it say why; so "back" and "reload" send nothing again. An
// error that is no refusal stays one.
func (v *visit) backTo(address string, err error) error {
	e := refused(err)
	if e == nil || e.Status >= http.StatusInternalServerError {
		return err
	}
	m := message{Wrong: v.sentence(e), Blames: e.blames(), Fields: v.fields(e)}
	if err := v.says(m); err != nil {
		return err
	}
	v.to(address)
	return nil
}

// hear takes along what the page before had to say.
func (v *visit) hear(w *view) error {
	m, err := openCookie[message](v, "message")
	if err != nil {
		return err
	}
	v.dropCookie("message")
	if m.Done != "" {
		w.Done = v.T(m.Done)
	}
	if w.Wrong == "" {
		w.Wrong, w.Blames = m.Wrong, m.Blames
	}
	if w.Fields == nil {
		w.Fields = maps.Clone(m.Fields)
	}
	return nil
}

// blames is the field of a form that a refusal is about as a whole; empty where it is about none.
func (e *refusal) blames() string {
	switch e.Code {
	case "invalid_credentials":
		return "password"
	case "invalid_code":
		return "code"
	case "invalid_email":
		return "email"
	case "wrong_password":
		return "current_password"
	case "weak_password":
		return "new_password"
	}
	return ""
}

// Invalid marks a field that something is wrong with, and ties it to what is said about it; the sentence at the top has the focus. hint is the
// id of what explains the field; empty: nothing does.
func (w view) Invalid(field, hint string) attributes {
	var ids []string
	if hint != "" {
		ids = append(ids, hint)
	}
	invalid := w.Fields[field] != ""
	if invalid {
		ids = append(ids, field+"-problem")
	}
	if w.Blames == field && w.Wrong != "" {
		invalid = true
		ids = append(ids, "wrong")
	}
	return attributes{DescribedBy: strings.Join(ids, " "), Invalid: invalid}
}

// attributes are those of a field.
type attributes struct {
	DescribedBy string
	Invalid     bool
}

// fieldProblem is what is wrong with a field, in words.
type fieldProblem struct{ ID, Text string }

// Problem is what is wrong with a field; nil where nothing is, or it is said at the top.
func (w view) Problem(field string) *fieldProblem {
	if w.Fields[field] == "" {
		return nil
	}
	return &fieldProblem{field + "-problem", w.Fields[field]}
}
