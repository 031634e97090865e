package settings

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"regexp"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/picture"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Branding is what the tenant's people recognise it by; nil is unsaid.
type Branding struct {
	Name         *string `json:"name"`          // null: the tenant's name
	Logo         *string `json:"logo"`          // a data URI; not there where settings come from memory, see Store.Of
	PrimaryColor *string `json:"primary_color"` // #rrggbb

	LogoTag string `json:"-"` // tells one logo from another, also where settings come from memory; empty: there is none
}

// logoTag is the LogoTag of a logo.
func logoTag(logo string) string {
	sum := sha256.Sum256([]byte(logo))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

const maxLogo = 32 << 10 // bytes of the data URI

var colour = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func (b Branding) check(bad map[string]string) {
	if b.Name != nil {
		if name, err := tenancy.ParseName(*b.Name); err != nil || name != *b.Name {
			bad["branding.name"] = "must be 1 to 100 characters, without control characters and spaces around"
		}
	}
	if b.Logo != nil {
		if err := picture.Check(*b.Logo, maxLogo); err != nil {
			bad["branding.logo"] = err.Error()
		}
	}
	if c := b.PrimaryColor; c != nil && (!colour.MatchString(*c) || contrastToWhite(*c) < leastContrast) {
		bad["branding.primary_color"] = "must be a colour such as #1a4f8b, dark enough for white letters on it"
	}
}

// leastContrast is what letters of the usual size need to be read (WCAG 2.2, success criterion 1.4.3). Buttons have white
// letters on the colour, and links have the colour on white, which is the same.
const leastContrast = 4.5

func contrastToWhite(hex string) float64 {
	linear := func(at int) float64 { // of one of the three parts (sRGB)
		n, _ := strconv.ParseUint(hex[at:at+2], 16, 8)
		part := float64(n) / 255
		if part <= 0.04045 {
			return part / 12.92
		}
		return math.Pow((part+0.055)/1.055, 2.4)
	}
	luminance := 0.2126*linear(1) + 0.7152*linear(3) + 0.0722*linear(5)
	return 1.05 / (luminance + 0.05)
}
