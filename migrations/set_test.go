package migrations

import (
	"testing"
	"testing/fstest"
)

func TestASetIsInOrderOfItsNumbers(t *testing.T) {
	t.Parallel()
	file := func(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body)} }
	s, err := ReadSet(fstest.MapFS{"10_ten.up.sql": file("j"), "0002_two.up.sql": file("b"), "0002_two.down.sql": file("-"), "0001_one.up.sql": file("a"), "notes": file("")})
	check(t, err)
	read := func(version int) (all string) {
		for _, m := range s.After(version) {
			all += m.SQL
		}
		return all
	}
	for version, want := range map[int]string{0: "abj", 1: "bj", 2: "j", 5: "j", 10: "", 11: ""} {
		if got := read(version); got != want {
			t.Errorf("after %d come %q, want %q", version, got, want)
		}
	}
	if s.Latest() != 10 || (Set{}).Latest() != 0 || len(Set{}.After(0)) != 0 {
		t.Errorf("the latest is %d, of nothing %d", s.Latest(), Set{}.Latest())
	}
	for _, bad := range []fstest.MapFS{{"one.up.sql": file("")}, {"0000_none.up.sql": file("")}, {"0001_a.up.sql": file(""), "1_b.up.sql": file("")}} {
		if _, err := ReadSet(bad); err == nil {
			t.Errorf("%v is read", bad)
		}
	}
}
