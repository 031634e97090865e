package pages

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Colours of pages. A tenant's colour is dark enough for white letters on it, and for itself on white, or it would not have
// been taken (settings.Branding); on a dark page it is made lighter until it can be read there.
const (
	ourColour     = "#1f4f8f"
	darkPage      = "#1b1d22" // --surface of the dark pages, see pages.css
	leastContrast = 4.5       // WCAG 2.2, success criterion 1.4.3
)

func theme(b settings.Branding) template.CSS {
	c := ourColour
	if b.PrimaryColor != nil {
		c = *b.PrimaryColor
	}
	rgb, err := parseColour(c)
	if err != nil {
		c, rgb = ourColour, mustColour(ourColour)
	}
	return template.CSS(fmt.Sprintf(":root{--brand:%s;--brand-on-dark:%s}", c, rgb.readableOn(mustColour(darkPage)))) //nolint:gosec // parsed and written again
}

// Colour is a colour of a form, written anew; one that is none is ours.
func (v *visit) Colour(hex string) template.CSS {
	rgb, err := parseColour(hex)
	if err != nil {
		rgb = mustColour(ourColour)
	}
	return template.CSS(rgb.String()) //nolint:gosec // parsed and written again
}

// colour is red, green and blue, each from 0 to 1 (sRGB).
type colour [3]float64

func parseColour(hex string) (c colour, err error) {
	if len(hex) != 7 || hex[0] != '#' {
		return c, strconv.ErrSyntax
	}
	for i := range c {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return c, err
		}
		c[i] = float64(n) / 255
	}
	return c, nil
}

func mustColour(hex string) colour {
	c, err := parseColour(hex)
	if err != nil {
		panic("pages: " + hex + ": " + err.Error()) // a constant of ours
	}
	return c
}

// String is the colour as CSS writes it.
func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance is WCAG 2.2's relative luminance.
func (c colour) luminance() float64 {
	var linear colour
	for i, part := range c {
		if part <= 0.04045 {
			linear[i] = part / 12.92
		} else {
			linear[i] = math.Pow((part+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// contrast is WCAG 2.2's contrast ratio, from 1 to 21.
func (c colour) contrast(with colour) float64 {
	a, b := c.luminance(), with.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// readableOn mixes the colour with white until it can be read on a dark one.
func (c colour) readableOn(dark colour) colour {
	for mix := 0.0; ; mix += 0.05 {
		var lighter colour
		for i := range c {
			lighter[i] = c[i] + (1-c[i])*min(mix, 1)
		}
		if lighter.contrast(dark) >= leastContrast || mix >= 1 {
			return lighter
		}
	}
}
