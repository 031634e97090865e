package strictjson

import (
	"encoding/json"
	"testing"
)

func TestOptionalTellsNullFromAbsent(t *testing.T) {
	type put struct {
		Name Optional[string] `json:"name,omitzero"`
	}
	for _, c := range []struct {
		in       string
		want     Optional[string]
		or       string
		ptrIsNil bool
	}{
		{`{}`, Optional[string]{}, "before", true},
		{`{"name":null}`, Optional[string]{Set: true, Null: true}, "", true},
		{`{"name":""}`, Optional[string]{Set: true}, "", false},
		{`{"name":"x"}`, Optional[string]{Set: true, Value: "x"}, "x", false},
	} {
		var strict, std put
		if err := Decode([]byte(c.in), &strict); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.in), &std); err != nil {
			t.Fatal(err)
		}
		if strict.Name != c.want || std.Name != c.want {
			t.Errorf("%s: got %+v and %+v", c.in, strict.Name, std.Name)
		}
		if got := strict.Name.Or("before"); got != c.or {
			t.Errorf("%s: Or gives %q", c.in, got)
		}
		if p := strict.Name.Ptr(); (p == nil) != c.ptrIsNil || p != nil && *p != c.or {
			t.Errorf("%s: Ptr gives %v", c.in, p)
		}
		if out, err := json.Marshal(strict); err != nil || string(out) != c.in {
			t.Errorf("%s is written as %s, %v", c.in, out, err)
		}
	}
}
