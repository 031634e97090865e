package strictjson

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// uuid stands for the identifiers of the service.
type uuid [16]byte

func (u *uuid) UnmarshalText(b []byte) error {
	if len(b) != 16 {
		return errors.New("not sixteen")
	}
	copy(u[:], b)
	return nil
}

func (u uuid) MarshalText() ([]byte, error) { return u[:], nil }

type factor struct {
	Kind string `json:"kind"`
	Days int    `json:"days"`
}

type base struct {
	Inherited string `json:"inherited,omitzero"`
}

// everything has a member of every kind that Decode knows.
type everything struct {
	base
	S    string             `json:"s,omitzero"`
	B    bool               `json:"b,omitzero"`
	I    int                `json:"i,omitzero"`
	I8   int8               `json:"i8,omitzero"`
	U8   uint8              `json:"u8,omitzero"`
	U64  uint64             `json:"u64,omitzero"`
	F    float64            `json:"f,omitzero"`
	P    *string            `json:"p,omitzero"`
	O    Optional[string]   `json:"o,omitzero"`
	OI   Optional[int]      `json:"oi,omitzero"`
	N    factor             `json:"n,omitzero"`
	L    []string           `json:"l,omitzero"`
	LN   []factor           `json:"ln,omitzero"`
	M    map[string]float64 `json:"m,omitzero"`
	R    Raw                `json:"r,omitzero"`
	T    time.Time          `json:"t,omitzero"`
	ID   uuid               `json:"id,omitzero"`
	Self *everything        `json:"self,omitzero"`
	Gone string             `json:"-"`
	_    string
}

func TestDecodeAccepts(t *testing.T) {
	hello := "hello"
	for _, c := range []struct {
		name, in string
		want     everything
	}{
		{"an empty object", `{}`, everything{}},
		{"white space around it", " \r\n\t{ } \n", everything{}},
		{"a string with escapes", `{"s":"a\u00e9\ud83d\ude00\n"}`, everything{S: "aé😀\n"}},
		{"a name with an escape, as it is the same name", `{"\u0073":"x"}`, everything{S: "x"}},
		{"a member of an embedded struct", `{"inherited":"x"}`, everything{base: base{Inherited: "x"}}},
		{"the smallest and the largest integers", `{"i8":-128,"u8":255,"u64":18446744073709551615}`, everything{I8: -128, U8: 255, U64: 1<<64 - 1}},
		{"an integer beyond the exact floats", `{"i":9007199254740993}`, everything{I: 9007199254740993}},
		{"a minus zero", `{"i":-0}`, everything{}},
		{"a float in any notation", `{"f":1.5e3}`, everything{F: 1500}},
		{"null for a pointer", `{"p":null}`, everything{}},
		{"a value for a pointer", `{"p":"hello"}`, everything{P: &hello}},
		{"null for an optional", `{"o":null}`, everything{O: Optional[string]{Set: true, Null: true}}},
		{"a value for an optional", `{"o":"","oi":0}`, everything{O: Optional[string]{Set: true}, OI: Optional[int]{Set: true}}},
		{"nested objects and arrays", `{"n":{"kind":"totp"},"ln":[{"days":1},{}],"l":[]}`,
			everything{N: factor{Kind: "totp"}, LN: []factor{{Days: 1}, {}}, L: []string{}}},
		{"a map", `{"m":{"":1,"A":2,"a":3}}`, everything{M: map[string]float64{"": 1, "A": 2, "a": 3}}},
		{"a raw object as it was sent", `{"r" : { "x" : [ 1e0 , "é" ] } }`, everything{R: Raw(`{ "x" : [ 1e0 , "é" ] }`)}},
		{"a raw string as it was sent", `{"r": "\u0041" }`, everything{R: Raw(`"\u0041"`)}},
		{"a time", `{"t":"2026-01-02T03:04:05Z"}`, everything{T: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{"a text type", `{"id":"0123456789abcdef"}`, everything{ID: uuid([]byte("0123456789abcdef"))}},
		{"a depth of 32", `{"r":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`,
			everything{R: Raw(strings.Repeat("[", 31) + strings.Repeat("]", 31))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got everything
			if err := Decode([]byte(c.in), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDecodeRefusesTheDocument(t *testing.T) {
	for _, c := range []struct{ name, in, message string }{
		{"no body", "", "empty"},
		{"white space alone", " \n", "empty"},
		{"a byte order mark", "\xef\xbb\xbf{}", "byte order mark"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "UTF-8"},
		{"invalid UTF-8 in a value", "{\"s\":\"\xff\"}", "UTF-8"},
		{"an overlong encoding", "{\"s\":\"\xc0\xaf\"}", "UTF-8"},
		{"a surrogate in UTF-8", "{\"s\":\"\xed\xa0\x80\"}", "UTF-8"},
		{"an escaped lone surrogate", `{"s":"\ud800"}`, "not valid JSON"},
		{"surrogates in the wrong order", `{"s":"\ude00\ud83d"}`, "not valid JSON"},
		{"an array", `[]`, "must be a JSON object"},
		{"a string", `"x"`, "must be a JSON object"},
		{"null", `null`, "must be a JSON object"},
		{"not JSON at all", `email=a`, "not valid JSON"},
		{"a form", `--x`, "not valid JSON"},
		{"half an object", `{"s":`, "ends before"},
		{"half a name", `{"s`, "ends before"},
		{"a trailing comma", `{"s":"x",}`, "not valid JSON"},
		{"a comment", `{/**/}`, "not valid JSON"},
		{"single quotes", `{'s':'x'}`, "not valid JSON"},
		{"a name without quotes", `{s:"x"}`, "not valid JSON"},
		{"a control character in a string", "{\"s\":\"\n\"}", "not valid JSON"},
		{"a bad escape", `{"s":"\x41"}`, "not valid JSON"},
		{"NaN", `{"f":NaN}`, "not valid JSON"},
		{"a leading zero", `{"i":01}`, "not valid JSON"},
		{"a plus sign", `{"i":+1}`, "not valid JSON"},
		{"a second object", `{}{}`, "nothing after it"},
		{"text behind", `{} x`, "nothing after it"},
		{"a NUL behind", "{}\x00", "nothing after it"},
		{"a closing bracket too many", `{}}`, "nothing after it"},
		{"mismatched brackets", `{"l":[}`, "not valid JSON"},
		{"a depth of 33", `{"r":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "levels deep"},
		{"a depth of 33 in an unknown member", `{"x":` + strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat("}", 32) + `}`, "levels deep"},
		{"a great depth, unclosed", strings.Repeat(`{"self":`, 60000), "levels deep"},
		{"a NUL in a string", `{"s":"a\u0000b"}`, "NUL"},
		{"a NUL in a name", `{"\u0000":1}`, "NUL"},
		{"a NUL in a raw value", `{"r":{"x":"\u0000"}}`, "NUL"},
		{"a NUL in a raw string", `{"r":"\u0000"}`, "NUL"},
		{"a NUL in an unknown member", `{"x":["\u0000"]}`, "NUL"},
		{"a NUL in a map", `{"m":{"\u0000":1}}`, "NUL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := decodeError(t, c.in)
			if !strings.Contains(e.Message, c.message) || e.Fields != nil {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestDecodeRefusesDuplicates(t *testing.T) {
	for _, c := range []struct{ name, in, at string }{
		{"a known name", `{"s":"a","s":"b"}`, "s"},
		{"with the same value", `{"s":"a","s":"a"}`, "s"},
		{"spelled with an escape", `{"s":"a","\u0073":"b"}`, "s"},
		{"after a type error", `{"s":1,"s":"b"}`, "s"},
		{"an unknown name", `{"x":1,"x":2}`, "x"},
		{"in a nested object", `{"n":{"days":1,"days":2}}`, "n.days"},
		{"in an element", `{"ln":[{},{"days":1,"days":2}]}`, "ln[1].days"},
		{"in a map", `{"m":{"a":1,"a":2}}`, "m.a"},
		{"in a raw value", `{"r":[{"a":1,"a":2}]}`, "r[0].a"},
		{"in an unknown member", `{"x":{"y":{"a":1,"a":2}}}`, "x.y.a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := decodeError(t, c.in)
			want := map[string]string{c.at: "must not appear more than once"}
			if e.Message == "" || !reflect.DeepEqual(e.Fields, want) {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestDecodeReportsFields(t *testing.T) {
	for _, c := range []struct {
		name, in string
		fields   map[string]string
	}{
		{"a number for a string", `{"s":1}`, map[string]string{"s": "must be a string"}},
		{"null for a string", `{"s":null}`, map[string]string{"s": "must be a string"}},
		{"null for an object, an array, a map and a raw value", `{"n":null,"l":null,"m":null,"r":null}`,
			map[string]string{"n": "must be an object", "l": "must be an array", "m": "must be an object", "r": "must not be null"}},
		{"a string for a number", `{"i":"1"}`, map[string]string{"i": "must be a whole number"}},
		{"a fraction for a whole number, even an empty one", `{"i":1.0}`, map[string]string{"i": "must be a whole number"}},
		{"an exponent for a whole number", `{"i":1e2}`, map[string]string{"i": "must be a whole number"}},
		{"numbers out of range", `{"i8":128,"u8":256,"u64":18446744073709551616,"i":9223372036854775808,"f":1e999}`,
			map[string]string{"i8": "is out of range", "u8": "is out of range", "u64": "is out of range", "i": "is out of range", "f": "is out of range"}},
		{"a negative count", `{"u8":-1}`, map[string]string{"u8": "must not be negative"}},
		{"a string for a boolean", `{"b":"true"}`, map[string]string{"b": "must be true or false"}},
		{"a wrong type in an optional", `{"o":1,"oi":"1"}`, map[string]string{"o": "must be a string", "oi": "must be a whole number"}},
		{"a bad time", `{"t":"2026-02-30T00:00:00Z"}`, map[string]string{"t": "must be an RFC 3339 time"}},
		{"a bad id", `{"id":"x"}`, map[string]string{"id": "must be a UUID"}},
		{"null for an id", `{"id":null}`, map[string]string{"id": "must be a string"}},
		{"an unknown name", `{"nope":{"a":[1]}}`, map[string]string{"nope": "is not a known field"}},
		{"a name of the wrong case", `{"S":"x"}`, map[string]string{"S": "is not a known field"}},
		{"a name that folds to a known one", `{"\u017f":"x"}`, map[string]string{"ſ": "is not a known field"}},
		{"a field that JSON does not see", `{"Gone":"x","inner":"x","-":"x"}`,
			map[string]string{"Gone": "is not a known field", "inner": "is not a known field", "-": "is not a known field"}},
		{"the empty name", `{"":1}`, map[string]string{"": "is not a known field"}},
		{"paths below", `{"n":{"days":"x","Kind":1},"l":["a",1,"b",null],"ln":[{},{"kind":1}],"m":{"a":"b"}}`,
			map[string]string{"n.days": "must be a whole number", "n.Kind": "is not a known field", "l[1]": "must be a string",
				"l[3]": "must be a string", "ln[1].kind": "must be a string", "m.a": "must be a number"}},
		{"names in a raw value that differ by case alone", `{"r":{"id":1,"x":{"ID":1},"Id":2}}`,
			map[string]string{"r": "holds names that differ by case alone"}},
		{"the same by the long s", `{"r":[{"s":1,"\u017f":2}]}`, map[string]string{"r": "holds names that differ by case alone"}},
		{"a number in a raw value that no float holds", `{"r":[1e999]}`, map[string]string{"r": "holds a number that is out of range"}},
		{"all at once", `{"s":1,"b":2,"nope":3}`,
			map[string]string{"s": "must be a string", "b": "must be true or false", "nope": "is not a known field"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := decodeError(t, c.in)
			if e.Message != "" || !reflect.DeepEqual(e.Fields, c.fields) {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestAFloodOfBadNamesDoesNotDrownTheKnownOnes(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"l":[`)
	b.WriteString(strings.Repeat("1,", 5000))
	b.WriteString(`1],"`)
	b.WriteString(strings.Repeat("é", 500))
	b.WriteString(`":1,"s":1}`)
	e := decodeError(t, b.String())
	if e.Fields["s"] != "must be a string" {
		t.Error("the known field is not reported")
	}
	if len(e.Fields) != maxRepeated+1 {
		t.Errorf("%d fields are reported", len(e.Fields))
	}
	long := decodeError(t, `{"`+strings.Repeat("é", 500)+`":1}`)
	for name := range long.Fields {
		if len(name) > maxName+len("…") {
			t.Errorf("a name of %d bytes is repeated", len(name))
		}
	}
}

func TestTheGoodMembersAreFilledBesideTheBad(t *testing.T) {
	var v everything
	if err := Decode([]byte(`{"i":"x","s":"good","l":["a",1]}`), &v); err == nil || v.S != "good" || v.L[0] != "a" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestNoErrorQuotesAValue(t *testing.T) {
	for _, in := range []string{`{"i":"hunter2"}`, `{"t":"hunter2"}`, `{"s":"hunter2"`, `{"s":hunter2}`, `{"s":"hunter2","s":"hunter2"}`, `"hunter2"`, `{"s":"hunter2\u0000"}`} {
		if e := decodeError(t, in); strings.Contains(e.Error(), "hunter2") {
			t.Errorf("%s is quoted: %v", in, e)
		}
	}
}

func TestCheckFindsTypesThatCannotBeRead(t *testing.T) {
	Check[everything]()
	for name, f := range map[string]func(){
		"an interface": Check[struct {
			A any `json:"a"`
		}],
		"bytes": Check[struct {
			A []byte `json:"a"`
		}],
		"a function": Check[struct {
			A func() `json:"a"`
		}],
		"no name": Check[struct{ A string }],
		"the option string": Check[struct {
			A int `json:"a,string"`
		}],
		"a name twice": func() {
			a := reflect.StructField{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"a"`}
			b := a
			b.Name = "B"
			planOf(reflect.StructOf([]reflect.StructField{a, b}))
		},
		"a map by number": Check[struct {
			A map[int]int `json:"a"`
		}],
		"an interface nested": Check[struct {
			A []struct {
				B any `json:"b"`
			} `json:"a"`
		}],
		"no struct":  func() { _ = Decode([]byte(`{}`), new(int)) },
		"no pointer": func() { _ = Decode([]byte(`{}`), everything{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			f()
		})
	}
}

func decodeError(t *testing.T, in string) *Error {
	t.Helper()
	data := []byte(in)
	err := Decode(data, new(everything))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%.80q is accepted, or fails otherwise: %v", in, err)
	}
	if string(data) != in {
		t.Fatal("the input was changed")
	}
	return e
}
