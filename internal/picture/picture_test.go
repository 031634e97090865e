package picture

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Headers by hand, after RFC 9649, one of each kind.
func TestSizesOfWebP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file          string
		width, height int
	}{
		"lossy":    {"RIFF\x1a\x00\x00\x00WEBPVP8 \x0e\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\x40\x01\xf0\x40", 320, 240},
		"lossless": {"RIFF\x12\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2f\x3f\xc1\x3b\x00", 320, 240},
		"extended": {"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x3f\x01\x00\xef\x00\x00", 320, 240},
	} {
		got, err := webpConfig(strings.NewReader(c.file))
		if err != nil || got.Width != c.width || got.Height != c.height {
			t.Errorf("%s: %d x %d, %v", name, got.Width, got.Height, err)
		}
		for n := range 24 {
			if _, err := webpConfig(strings.NewReader(c.file[:n])); err == nil {
				t.Errorf("%s cut at %d is a picture", name, n)
			}
		}
	}
}

// Whatever a client sends, Check answers, and what it takes has a size within bounds.
func FuzzCheck(f *testing.F) {
	for _, media := range []string{"png", "jpeg", "gif", "webp"} {
		f.Add(media, []byte("RIFF\x12\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2f\x3f\xc1\x3b\x00"))
		f.Add(media, []byte("\x89PNG\r\n\x1a\n"))
		f.Add(media, []byte("\xff\xd8\xff\xe0"))
		f.Add(media, []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, media string, data []byte) {
		uri := "data:image/" + media + ";base64," + base64.StdEncoding.EncodeToString(data)
		if Check(uri, 1<<16) != nil {
			return
		}
		if k, ok := kinds["image/"+media]; !ok || !strings.HasPrefix(string(data), k.magic) {
			t.Errorf("%q is taken for a picture", uri)
		}
	})
}
