package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// Null is a field that has no value.
const Null = `\N`

// MaxRow bounds a row that is taken apart. The longest there is, a user's, has some kilobytes.
const MaxRow = 8 << 20

// errRow is a row that Postgres would not have written.
var errRow = errors.New("bundle: a row has another number of fields than there are columns, or is not in COPY's text form")

// Fields takes a row of COPY's text form apart, without its line feed. Tabs that belong to a value are written \t, so a tab is always
// the end of a field.
func Fields(row []byte) []string { return strings.Split(string(row), "\t") }

// Text is the value of a field. Which escapes there are is what Postgres writes (COPY, "Text Format"), and no others are taken.
func Text(field string) (string, error) {
	if !strings.ContainsRune(field, '\\') {
		return field, nil
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] != '\\' {
			b.WriteByte(field[i])
			continue
		}
		if i++; i == len(field) {
			return "", errRow
		}
		at := strings.IndexByte(escapes, field[i])
		if at < 0 {
			return "", errRow
		}
		b.WriteByte(escaped[at])
	}
	return b.String(), nil
}

const (
	escapes = `bfnrtv\`
	escaped = "\b\f\n\r\t\v\\"
)

// Field is the reverse of Text.
func Field(text string) string {
	if !strings.ContainsAny(text, escaped) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if at := strings.IndexByte(escaped, text[i]); at >= 0 {
			b.WriteByte('\\')
			b.WriteByte(escapes[at])
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Rewrite copies rows of so many columns and lets change have some of them at a time, in their order, as fields. Memory is that
// of so many rows.
func Rewrite(to io.Writer, from io.Reader, columns, atOnce int, change func(rows [][]string) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, MaxRow)
	lines.Split(wholeLines)
	out := bufio.NewWriterSize(to, chunk)
	var rows [][]string
	flush := func() error {
		if err := change(rows); err != nil {
			return err
		}
		for _, row := range rows {
			if _, err := out.WriteString(strings.Join(row, "\t") + "\n"); err != nil {
				return err
			}
		}
		rows = rows[:0]
		return nil
	}
	for lines.Scan() {
		row := Fields(lines.Bytes())
		if len(row) != columns {
			return errRow
		}
		if rows = append(rows, row); len(rows) == atOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(lines.Err(), flush()); err != nil {
		return err
	}
	return out.Flush()
}

// wholeLines is bufio.ScanLines without its kindness to carriage returns and to a last line that does not end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errRow
	}
	return 0, nil, nil
}
