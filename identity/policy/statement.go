package policy

import (
	"iter"
	"strings"
)

// scanned goes through a text of Cedar and says of each character whether it is code, or else within a string or a comment.
func scanned(text string) iter.Seq2[rune, bool] {
	return func(yield func(rune, bool) bool) {
		inString, inComment, escaped, slash := false, false, false, false
		for _, r := range text {
			code := !inString && !inComment
			switch {
			case inComment:
				inComment = r != '\n'
			case inString:
				inString = escaped || r != '"'
				escaped = !escaped && r == '\\'
			case r == '"':
				inString, code = true, false
			case slash && r == '/':
				inComment, code = true, false
			}
			slash = code && r == '/'
			if !yield(r, code) {
				return
			}
		}
	}
}

// statements cuts a text after each semicolon that ends a statement, so that comments stay with what follows them.
func statements(text string) (parts []string) {
	var part strings.Builder
	for r, code := range scanned(text) {
		part.WriteRune(r)
		if code && r == ';' {
			parts = append(parts, strings.TrimSpace(part.String()))
			part.Reset()
		}
	}
	return parts
}
