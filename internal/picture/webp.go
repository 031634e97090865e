package picture

import (
	"encoding/binary"
	"errors"
	"image"
	"io"
)

var errWebP = errors.New("picture: not a WebP file")

// webpConfig reads the size of a WebP picture (RFC 9649): a RIFF file whose first chunk is one of three kinds of header.
// A decoder would be a dependency for the twenty bytes that are wanted of it.
func webpConfig(r io.Reader) (c image.Config, err error) {
	var b [30]byte
	if _, err := io.ReadAtLeast(r, b[:], 25); err != nil || string(b[8:12]) != "WEBP" {
		return c, errWebP
	}
	switch h := b[20:]; string(b[12:16]) {
	case "VP8 ": // lossy: a frame tag of three bytes, a start code, two sides of 14 bits
		if h[0]&1 != 0 || string(h[3:6]) != "\x9d\x01\x2a" {
			return c, errWebP
		}
		c.Width = int(binary.LittleEndian.Uint16(h[6:])) & 0x3fff
		c.Height = int(binary.LittleEndian.Uint16(h[8:])) & 0x3fff
	case "VP8L": // lossless: a signature, two sides of 14 bits less one
		if h[0] != 0x2f {
			return c, errWebP
		}
		bits := binary.LittleEndian.Uint32(h[1:])
		c.Width, c.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	case "VP8X": // extended: flags, two sides of 24 bits less one
		c.Width = 1 + (int(h[4]) | int(h[5])<<8 | int(h[6])<<16)
		c.Height = 1 + (int(h[7]) | int(h[8])<<8 | int(h[9])<<16)
	default:
		return c, errWebP
	}
	return c, nil
}
