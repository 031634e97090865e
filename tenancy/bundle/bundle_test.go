package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// written is a bundle whose manifest is "signed" by being the one text that is believed.
func written(t testing.TB, parts ...string) (file []byte, jws string) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b)
	check(t, err)
	for i, rows := range parts {
		check(t, w.Part(Header{Name: string(rune('a' + i)), Columns: []string{"id", "name"}}, func(to io.Writer) error {
			_, err := io.Copy(to, iotestReader(rows))
			return err
		}))
	}
	text, err := json.Marshal(Manifest{Format: Format, Parts: w.Parts()})
	check(t, err)
	check(t, w.Close(string(text)))
	return b.Bytes(), string(text)
}

// iotestReader gives a text out in pieces of odd sizes.
func iotestReader(s string) io.Reader {
	var all []io.Reader
	for n := 1; s != ""; n = n*3 + 1 {
		cut := min(n, len(s))
		all, s = append(all, strings.NewReader(s[:cut])), s[cut:]
	}
	return io.MultiReader(all...)
}

// believe reads a bundle as an importer does.
func believe(file []byte, signed string, use func(Header, io.Reader) error) error {
	parts, jws, err := Read(bytes.NewReader(file), use)
	if err != nil {
		return err
	}
	if jws != signed {
		return errors.New("the signature does not hold")
	}
	var m Manifest
	if err := json.Unmarshal([]byte(jws), &m); err != nil {
		return err
	}
	return m.Check(parts)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	parts := []string{"", "1\tx\n", strings.Repeat("2\ty\n", chunk/4), strings.Repeat("3\tz\n", chunk), strings.Repeat("long ", 2*chunk) + "\n"}
	file, signed := written(t, parts...)
	var got []string
	check(t, believe(file, signed, func(h Header, rows io.Reader) error {
		all, err := io.ReadAll(rows)
		got = append(got, string(all))
		return err
	}))
	if !slices.Equal(got, parts) {
		t.Error("other rows were read than written")
	}
	check(t, believe(file, signed, Skip)) // who does not read the rows has them hashed all the same
	var m Manifest
	check(t, json.Unmarshal([]byte(signed), &m))
	if m.Rows("d") != chunk || m.Rows("a") != 0 {
		t.Errorf("d has %d rows and a %d", m.Rows("d"), m.Rows("a"))
	}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	t.Parallel()
	file, signed := written(t, "1\tada\n2\tbob\n", "3\tcy\n")
	for i := range file {
		for _, bit := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(file)
			changed[i] ^= bit
			if believe(changed, signed, Skip) == nil {
				t.Errorf("byte %d changed from %q to %q was not found", i, file[i], changed[i])
			}
		}
	}
}

func TestACutOffFileIsFound(t *testing.T) {
	t.Parallel()
	file, signed := written(t, "1\tada\n", strings.Repeat("2\ty\n", 50))
	for n := range file {
		err := believe(file[:n], signed, Skip)
		want := ErrCutOff
		if n < len(magic) {
			want = ErrNotBundle
		}
		if !errors.Is(err, want) {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(file), err)
		}
	}
	if err := believe(append(file, 0), signed, Skip); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte behind the end: %v", err)
	}
}

// The same parts in another order, one twice, one missing, and one of another bundle.
func TestPartsAreThoseThatWereSigned(t *testing.T) {
	t.Parallel()
	_, signed := written(t, "1\tada\n", "2\tbob\n")
	frame := func(name, rows string) string {
		file, _ := written(t, rows)
		body, _, _ := bytes.Cut(file[len(magic):], []byte{'M', 0, 0}) // up to the manifest
		return strings.Replace(string(body), `"a"`, `"`+name+`"`, 1)
	}
	end := string(func() []byte {
		var b bytes.Buffer
		w, err := NewWriter(&b)
		check(t, err)
		check(t, w.Close(signed))
		return b.Bytes()[len(magic):]
	}())
	a, b := frame("a", "1\tada\n"), frame("b", "2\tbob\n")
	for what, parts := range map[string]string{"reordered": b + a, "twice": a + a + b, "missing": a, "none": "", "foreign": a + frame("b", "2\teve\n"), "renamed": a + frame("c", "2\tbob\n")} {
		if err := believe([]byte(magic+parts+end), signed, Skip); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check(t, believe([]byte(magic+a+b+end), signed, Skip))
}

func TestALieAboutASizeCostsNoMemory(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{"B\xff\xff\xff\xff", "M\xff\xff\xff\xff", "M\x00\x00\x00\x00", "D\x00\x00\x00\x01x", "E\x00\x00\x00\x00", "X\x00\x00\x00\x00", "B\x00\x00\x00\x02{}"} {
		if _, _, err := Read(strings.NewReader(magic+frame), Skip); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", frame, err)
		}
	}
}

func TestFieldsAreThoseOfCopy(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{"": "", "plain": "plain", "a\tb\nc\\d\re\b\f\v": `a\tb\nc\\d\re\b\f\v`, "ünï": "ünï"} {
		if got := Field(text); got != field {
			t.Errorf("%q is written %q, want %q", text, got, field)
		}
		if got, err := Text(field); err != nil || got != text {
			t.Errorf("%q is read %q, %v", field, got, err)
		}
	}
	for _, field := range []string{`\`, `\x41`, `\101`, `\N`, `a\`} {
		if _, err := Text(field); err == nil {
			t.Errorf("%q was read", field)
		}
	}
}

func TestRowsAreRewrittenInTheirOrder(t *testing.T) {
	t.Parallel()
	var in, want strings.Builder
	for i := range 1000 {
		n := string(rune('a' + i%26))
		in.WriteString(n + "\tx\n")
		want.WriteString(n + "\ty\n")
	}
	var out strings.Builder
	check(t, Rewrite(&out, strings.NewReader(in.String()), 2, 64, func(rows [][]string) error {
		if len(rows) > 64 {
			t.Errorf("%d at once", len(rows))
		}
		for _, r := range rows {
			r[1] = "y"
		}
		return nil
	}))
	if out.String() != want.String() {
		t.Error("other rows came out")
	}
	for _, bad := range []string{"a\n", "a\tb\tc\n", "a\tb"} {
		if err := Rewrite(io.Discard, strings.NewReader(bad), 2, 64, func([][]string) error { return nil }); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// What is read is written the same: there is one spelling, and no byte that no hash is over.
func FuzzRead(f *testing.F) {
	file, _ := written(f, "1\tada\n", "")
	f.Add(file)
	large, _ := written(f, strings.Repeat("2\ty\n", chunk/3))
	f.Add(large)
	f.Add(file[:len(file)-3])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		var again bytes.Buffer
		w, err := NewWriter(&again)
		check(t, err)
		parts, jws, err := Read(bytes.NewReader(file), func(h Header, rows io.Reader) error {
			all, err := io.ReadAll(rows)
			if err != nil {
				return err
			}
			return w.Part(h, func(to io.Writer) error { _, err := to.Write(all); return err })
		})
		if err != nil {
			return
		}
		check(t, w.Close(jws))
		if !bytes.Equal(again.Bytes(), file) {
			t.Error("written again it is another file")
		}
		if !slices.EqualFunc(parts, w.Parts(), Part.same) {
			t.Error("read and written parts differ")
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add(`a\tb\\`)
	f.Fuzz(func(t *testing.T, field string) {
		text, err := Text(field)
		if err != nil {
			return
		}
		if again, err := Text(Field(text)); err != nil || again != text {
			t.Errorf("%q is %q and then %q, %v", field, text, again, err)
		}
	})
}
