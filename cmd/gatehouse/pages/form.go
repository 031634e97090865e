package pages

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// readForm reads the form that was sent, and refuses one that is too long: of half a form nobody would notice what is missing.
func (v *visit) readForm() error {
	if v.r.Method != http.MethodPost {
		return nil
	}
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" && media != "multipart/form-data" {
		return &refusal{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type"}
	}
	if media == "multipart/form-data" { // each swallows what is wrong with the other
		err = v.r.ParseMultipartForm(maxMemory)
	} else {
		err = v.r.ParseForm()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{Status: http.StatusRequestEntityTooLarge, Code: "too_large"}
	}
	// What is no text would become other text as JSON: two passwords would be one.
	if err != nil || !isText(v.r.PostForm) {
		return &refusal{Status: http.StatusBadRequest, Code: "invalid_request"}
	}
	return nil
}

const maxMemory = 1 << 20 // more than the longest form

func isText(form url.Values) bool {
	for name, values := range form {
		if !utf8.ValidString(name) || slices.ContainsFunc(values, func(s string) bool { return !utf8.ValidString(s) }) {
			return false
		}
	}
	return true
}

// form is a value of the form that was sent.
func (v *visit) form(name string) string { return v.r.PostFormValue(name) }

// longestEmail is that of an address (RFC 5321 section 4.5.3.1), with room for its mistakes.
const longestEmail = 320

// typedEmail is the address of a form.
func (v *visit) typedEmail() string { return v.typed("email") }

// typed is an address that was typed in. One that nobody can have is cut.
func (v *visit) typed(field string) string {
	email := strings.TrimSpace(v.form(field))
	if len(email) > longestEmail {
		email = strings.ToValidUTF8(email[:longestEmail], "")
	}
	return strings.ToValidUTF8(email, string(utf8.RuneError))
}

// credential is what a page's script put into a field; the API judges it. What is no JSON is sent as the text it is.
func credential(field string) any {
	if json.Valid([]byte(field)) {
		return json.RawMessage(field)
	}
	return field
}

// text is a value of the form that may be left out; what a form leaves empty is unsaid.
func (v *visit) text(name string) *string {
	if s := v.form(name); s != "" {
		return &s
	}
	return nil
}

// picture is a file of a form as a data URI; empty where none was chosen. What is in it is for the API to judge.
func (v *visit) picture(name string) (string, error) {
	file, head, err := v.r.FormFile(name)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) || err == nil && head.Size == 0 {
		return "", nil // none was chosen
	}
	if err != nil {
		return "", &refusal{Status: http.StatusBadRequest, Code: "invalid_request"}
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	if err != nil {
		return "", err
	}
	return "data:" + http.DetectContentType(data) + ";base64," + base64.StdEncoding.EncodeToString(data), nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// orNone is a list that is there, if empty.
func orNone(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// lines are what a field with a line for each thing holds.
func lines(s string) []string {
	all := []string{}
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
