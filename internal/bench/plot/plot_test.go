package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func chart() Chart {
	return Chart{Title: `p50 & p99 <of "all">`, Note: "a & b", X: "tenants", Y: "ratio", Top: 2, Limit: 1.2,
		Panels: []Panel{{Title: "<one>", Lines: []Line{
			{Name: "login & p50", Points: []Point{{1, 1}, {100, 1.5}, {10_000, 7.25}}},
			{Name: "login p99", Dashed: true, Hue: 1, Points: []Point{{1, 1}, {10_000, 2}}},
		}}, {Title: "two", Lines: []Line{{Name: "login & p50", Points: []Point{{1, 1}}}}}}}
}

// Whatever the labels hold, it is one well-formed file, and the labels come out as they went in.
func TestIsWellFormed(t *testing.T) {
	t.Parallel()
	var said []string
	d := xml.NewDecoder(strings.NewReader(string(chart().SVG())))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.CharData:
			said = append(said, strings.TrimSpace(string(e)))
		case xml.StartElement:
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s %s is %s", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	for _, want := range []string{`p50 & p99 <of "all">`, "<one>", "login & p50", "login p99", "10,000", "0.5", "goal 1.2", "to 7.25", "a & b"} {
		if !slices.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if n := len(slices.DeleteFunc(said, func(s string) bool { return s != "login & p50" })); n != 1 {
		t.Errorf("the legend names a line %d times", n)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	s := sheet{Chart: chart()}
	s.low, s.high = s.reach()
	if s.low != 1 || s.high != 10_000 {
		t.Errorf("from %v to %v", s.low, s.high)
	}
	if got := s.across(100); got != panelWidth/2 {
		t.Errorf("100 of 1 to 10,000 is at %v of %v", got, panelWidth)
	}
	if low, high, over := s.up(0), s.up(2), s.up(5); low != top+panelHeight || high != top || over != top {
		t.Errorf("0 at %v, the top at %v, above it at %v", low, high, over)
	}
}

func TestOnePointAndNone(t *testing.T) {
	t.Parallel()
	for _, points := range [][]Point{nil, {{1, 1}}, {{5, 1}}} {
		c := Chart{Top: 2, Panels: []Panel{{Lines: []Line{{Points: points}}}}}
		if svg := string(c.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%v: %s", points, svg)
		}
	}
}

func TestHeight(t *testing.T) {
	t.Parallel()
	c := chart() // to 7.25
	if a, b, none := c.Height(2, 4), c.Height(2, 9), (Chart{}).Height(2, 4); a != 4 || b != 7.5 || none != 2 {
		t.Errorf("bounded %v, free %v, of nothing %v", a, b, none)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{1: "1", 100: "100", 1000: "1,000", 10_000: "10,000", 1_000_000: "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%v) = %s", n, got)
		}
	}
	for n, want := range map[float64]string{0: "0", 1.2: "1.2", 7.256: "7.26", 10: "10"} {
		if got := short(n); got != want {
			t.Errorf("short(%v) = %s", n, got)
		}
	}
	if got := ticks(2); !slices.Equal(got, []float64{0, 0.5, 1, 1.5, 2}) {
		t.Errorf("ticks(2) = %v", got)
	}
}
