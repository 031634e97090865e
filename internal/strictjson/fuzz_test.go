package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecode holds Decode against encoding/json: whatever is accepted means the same to both, and to both again after it
// was written. The corpus in testdata is run by every test run.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, in string) {
		data := []byte(in)
		var v everything
		err := Decode(data, &v)
		if string(data) != in {
			t.Fatal("the input was changed")
		}
		if err != nil {
			checkError(t, err)
			return
		}
		checkSyntax(t, data)
		checkSameAsStandard(t, data, v)
		checkStable(t, v)
	})
}

func checkError(t *testing.T, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Message == "" && len(e.Fields) == 0 {
		t.Fatalf("an error that says nothing: %v", err)
	}
	if declared := 200; len(e.Fields) > maxRepeated+declared {
		t.Fatalf("%d fields", len(e.Fields))
	}
	if _, err := json.Marshal(e); err != nil {
		t.Fatal(err)
	}
}

// checkSyntax walks the document with another parser: no duplicates, no NUL, not too deep, nothing behind it.
func checkSyntax(t *testing.T, data []byte) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	checkValue(t, d, 0)
	if _, err := d.Token(); err != io.EOF {
		t.Fatal("something follows the object")
	}
}

func checkValue(t *testing.T, d *json.Decoder, depth int) {
	token, err := d.Token()
	if err != nil {
		t.Fatalf("not JSON to encoding/json: %v", err)
	}
	switch token := token.(type) {
	case string:
		if strings.Contains(token, "\x00") {
			t.Fatal("a NUL")
		}
	case json.Delim:
		if depth++; depth > MaxDepth {
			t.Fatal("too deep")
		}
		seen := make(map[string]bool)
		for d.More() {
			if token == '{' {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				if seen[name.(string)] {
					t.Fatalf("%q twice", name)
				}
				seen[name.(string)] = true
			}
			checkValue(t, d, depth)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkSameAsStandard(t *testing.T, data []byte, v everything) {
	var std everything
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&std); err != nil {
		t.Fatalf("encoding/json refuses it: %v", err)
	}
	if !reflect.DeepEqual(v, std) {
		t.Fatalf("encoding/json reads %+v, we read %+v", std, v)
	}
}

func checkStable(t *testing.T, v everything) {
	first := encode(t, v)
	var again everything
	if err := Decode(first, &again); err != nil {
		t.Fatalf("%s is refused: %v", first, err)
	}
	if second := encode(t, again); !bytes.Equal(first, second) {
		t.Fatalf("%s became %s", first, second)
	}
}

func encode(t *testing.T, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
