// Package picture reads the small pictures that clients send inside JSON, as data URIs (RFC 2397).
//
// What is called a picture has to be one: its first bytes and its header are read, and must be of the kind it says. That
// keeps scripts out that browsers would run (SVG is a program and no picture here) and files that unpack to gigabytes.
//
// The boundary: nothing is decoded beyond the header and nothing is converted. What was sent is kept and sent again.
package picture

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
)

// MaxSide is how many pixels a picture may be wide or high: a few bytes of header can ask whoever shows it for gigabytes.
const MaxSide = 4096

var (
	errForm = errors.New("must be a data URI of the form data:image/png;base64,... with a png, jpeg, webp or gif picture")
	errKind = errors.New("must hold a picture of the kind it names")
	errSide = fmt.Errorf("must be at most %d pixels wide and high", MaxSide)
)

// kind is one kind of picture: what its files begin with, and how their header is read.
type kind struct {
	magic  string
	header func(io.Reader) (image.Config, error)
}

var kinds = map[string]kind{
	"image/png":  {"\x89PNG\r\n\x1a\n", png.DecodeConfig},
	"image/jpeg": {"\xff\xd8\xff", jpeg.DecodeConfig},
	"image/gif":  {"GIF8", gif.DecodeConfig},
	"image/webp": {"RIFF", webpConfig},
}

// Check reports what is wrong with a data URI of at most limit bytes. The text it gets is a client's.
func Check(uri string, limit int) error {
	if len(uri) > limit {
		return fmt.Errorf("must be at most %d bytes", limit)
	}
	media, text, ok := strings.Cut(strings.TrimPrefix(uri, "data:"), ";base64,")
	k, known := kinds[media]
	if !ok || !known || !strings.HasPrefix(uri, "data:") {
		return errForm
	}
	// The decoder passes over line ends, and two texts would be one picture.
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return errForm
	}
	return k.check(data)
}

func (k kind) check(data []byte) error {
	if !bytes.HasPrefix(data, []byte(k.magic)) {
		return errKind
	}
	c, err := k.header(bytes.NewReader(data))
	if err != nil || c.Width < 1 || c.Height < 1 {
		return errKind
	}
	if c.Width > MaxSide || c.Height > MaxSide {
		return errSide
	}
	return nil
}
