// Package plot draws line charts as SVG that reads in light and dark, beside text or alone: numbers over a count, on a
// logarithmic axis, in panels side by side. It does what the pages of this project need and nothing more, which is
// shorter than what a library would want to be told.
package plot

import (
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Chart is one picture.
type Chart struct {
	Title  string
	Note   string // below: what was measured, where and when
	X, Y   string // what the axes count, with units
	Top    float64
	Limit  float64 // a line across each panel; 0 is none
	Panels []Panel
}

// Panel is one plot of a chart. All panels have the same axes.
type Panel struct {
	Title string
	Lines []Line
}

// Line is drawn in the colour of its hue, 0 to 2; the legend names it by Name, once for all panels. What lies above the
// chart's Top is drawn at the top, and the greatest value at each X is written there.
type Line struct {
	Name   string
	Hue    int
	Dashed bool
	Points []Point
}

// Point is a figure Y at X things.
type Point struct{ X, Y float64 }

const (
	panelWidth, panelHeight = 330.0, 240.0
	left, gap, right        = 64.0, 34.0, 24.0
	top, below              = 84.0, 104.0
)

// style paints its own background, because a page may be dark where the reader's system is light.
const style = `<style>
svg { font: 13px system-ui, sans-serif; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4; --paper: #ffffff; --h0: #0a5fc4; --h1: #b3400a; --h2: #1a7f37 }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --faint: #9198a1; --grid: #30363d; --paper: #0d1117; --h0: #6cb0ff; --h1: #ffa066; --h2: #5fd07a } }
.paper { fill: var(--paper) } text { fill: var(--ink) } .faint { fill: var(--faint); font-size: 12px } .title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 }
.grid { stroke: var(--grid) } .limit { stroke: var(--faint); stroke-dasharray: 2 3 } .line { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 6 4 }
.h0 { stroke: var(--h0) } .h1 { stroke: var(--h1) } .h2 { stroke: var(--h2) } .dot { fill: var(--paper); stroke-width: 2 }
</style>
`

// SVG is the chart as a file.
func (c Chart) SVG() []byte {
	s := &sheet{Chart: c}
	s.low, s.high = c.reach()
	width := left + float64(len(c.Panels))*(panelWidth+gap) - gap + right
	height := top + panelHeight + below
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.Title))
	s.put("%s", style)
	s.put(`<rect class="paper" width="100%%" height="100%%"/>` + "\n")
	s.text("title", left, 28, "start", c.Title)
	for i, p := range c.Panels {
		s.panel(p, left+float64(i)*(panelWidth+gap), i == 0)
	}
	s.text("", left+(width-left-right)/2, top+panelHeight+40, "middle", c.X)
	s.put(`<text transform="translate(18 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", top+panelHeight/2, html.EscapeString(c.Y))
	s.legend()
	s.text("faint", left, height-14, "start", c.Note)
	s.put("</svg>\n")
	return []byte(s.String())
}

// Height is a Top for the chart's lines: the least half or whole number that is above all of them, within bounds.
func (c Chart) Height(least, most float64) float64 {
	for _, p := range c.Panels {
		for _, l := range p.Lines {
			for _, at := range l.Points {
				least = max(least, math.Ceil(at.Y*2)/2)
			}
		}
	}
	return min(least, most)
}

// sheet is a chart that is being drawn.
type sheet struct {
	Chart
	strings.Builder
	low, high float64 // of all X
}

func (s *sheet) put(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func (s *sheet) text(class string, x, y float64, anchor, text string) {
	s.put(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(text))
}

func (c Chart) reach() (low, high float64) {
	low, high = math.Inf(1), 1
	for _, p := range c.Panels {
		for _, l := range p.Lines {
			for _, at := range l.Points {
				low, high = min(low, at.X), max(high, at.X)
			}
		}
	}
	return min(low, high), high
}

// across and up place a point within a panel.
func (s *sheet) across(x float64) float64 {
	if s.high <= s.low {
		return panelWidth / 2
	}
	return panelWidth * math.Log(x/s.low) / math.Log(s.high/s.low)
}

func (s *sheet) up(y float64) float64 {
	return top + panelHeight*(1-min(max(y, 0), s.Top)/s.Top)
}

func (s *sheet) panel(p Panel, x float64, first bool) {
	s.text("panel", x, top-14, "start", p.Title)
	for _, y := range ticks(s.Top) {
		s.put(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", x, x+panelWidth, s.up(y), s.up(y))
		if first {
			s.text("faint", x-8, s.up(y)+4, "end", short(y))
		}
	}
	for n := math.Pow(10, math.Ceil(math.Log10(s.low)-1e-9)); n <= s.high*(1+1e-9); n *= 10 {
		s.put(`<line class="grid" x1="%[1]s" x2="%[1]s" y1="%.1f" y2="%.1f"/>`+"\n", fixed(x+s.across(n)), top, top+panelHeight)
		s.text("faint", x+s.across(n), top+panelHeight+18, "middle", thousands(n))
	}
	if s.Limit > 0 && s.Limit <= s.Top {
		s.put(`<line class="limit" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", x, x+panelWidth, s.up(s.Limit), s.up(s.Limit))
		s.text("faint", x+4, s.up(s.Limit)-5, "start", "goal "+short(s.Limit))
	}
	over := map[float64]float64{}
	for _, l := range p.Lines {
		s.line(l, x)
		for _, at := range l.Points {
			over[at.X] = max(over[at.X], at.Y)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(over)) {
		if y := over[at]; y > s.Top {
			s.text("faint", x+s.across(at)-7, top+12, "end", "to "+short(y))
		}
	}
}

func (s *sheet) line(l Line, x float64) {
	var path []string
	for _, at := range l.Points {
		path = append(path, fixed(x+s.across(at.X))+","+fixed(s.up(at.Y)))
	}
	s.put(`<polyline class="line h%d%s" points="%s"/>`+"\n", l.Hue, dashes(l), strings.Join(path, " "))
	for _, at := range l.Points {
		s.put(`<circle class="dot h%d" cx="%s" cy="%s" r="3"/>`+"\n", l.Hue, fixed(x+s.across(at.X)), fixed(s.up(at.Y)))
	}
}

func (s *sheet) legend() {
	x, y := left, top+panelHeight+66
	seen := map[string]bool{}
	for _, p := range s.Panels {
		for _, l := range p.Lines {
			if seen[l.Name] {
				continue
			}
			seen[l.Name] = true
			s.put(`<line class="line h%d%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", l.Hue, dashes(l), x, x+26, y-4, y-4)
			s.text("", x+32, y, "start", l.Name)
			x += 32 + 7*float64(len([]rune(l.Name))) + 18
		}
	}
}

func dashes(l Line) string {
	if l.Dashed {
		return " dashed"
	}
	return ""
}

// ticks are round numbers from 0 to top, four to eight of them.
func ticks(top float64) (all []float64) {
	step := math.Pow(10, math.Floor(math.Log10(top)))
	for _, part := range []float64{1, 0.5, 0.2, 0.1} {
		if top/(step*part) >= 4 {
			step *= part
			break
		}
	}
	for i := 0; float64(i)*step <= top*(1+1e-9); i++ {
		all = append(all, float64(i)*step)
	}
	return all
}

func fixed(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }

// short has no more digits than the number needs, and two behind the point at most.
func short(n float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(n, 'f', 2, 64), "0"), ".")
}

func thousands(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	for i := len(text) - 3; i > 0 && !strings.Contains(text, "."); i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
