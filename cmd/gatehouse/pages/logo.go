package pages

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// logo serves the tenant's logo, which was looked at when it was set: it is a picture of the kind it says, and no script.
func (p *Pages) logo(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Front.Addressed(r)
	if err != nil {
		return err
	}
	set, err := p.Settings.Read(r.Context(), t)
	if err != nil {
		return err
	}
	if set.Branding.Logo == nil {
		return problem.NotFound()
	}
	media, text, _ := strings.Cut(strings.TrimPrefix(*set.Branding.Logo, "data:"), ";base64,")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	if r.URL.Query().Get("v") == set.Branding.LogoTag {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(data)
	return nil
}
