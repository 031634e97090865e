package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"io"
)

// Writer writes a bundle, part by part.
type Writer struct {
	to    *bufio.Writer
	parts []Part
	ended bool
}

// NewWriter begins a bundle.
func NewWriter(to io.Writer) (*Writer, error) {
	w := &Writer{to: bufio.NewWriterSize(to, chunk)}
	_, err := w.to.WriteString(magic)
	return w, err
}

// Part writes a part, whose rows fill writes: each of them ends with a line feed, and there is no other.
func (w *Writer) Part(h Header, fill func(io.Writer) error) error {
	header, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(header) > maxHeader || len(w.parts) == maxParts || w.ended {
		return errors.New("bundle: too much for one")
	}
	if err := w.frame(frameBegin, header); err != nil {
		return err
	}
	p := partWriter{to: w, part: Part{Header: h}, hash: sha256.New()}
	if err := fill(&p); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	w.parts = append(w.parts, p.done())
	return w.frame(frameEnd, nil)
}

// Parts are those that were written so far: what the manifest has to say.
func (w *Writer) Parts() []Part { return w.parts }

// Close ends the bundle with its manifest, signed.
func (w *Writer) Close(jws string) error {
	if len(jws) == 0 || len(jws) > maxManifest || w.ended {
		return errors.New("bundle: no manifest")
	}
	w.ended = true
	if err := w.frame(frameManifest, []byte(jws)); err != nil {
		return err
	}
	return w.to.Flush()
}

func (w *Writer) frame(kind byte, payload []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload))) //nolint:gosec // bounded
	if _, err := w.to.Write(head[:]); err != nil {
		return err
	}
	_, err := w.to.Write(payload)
	return err
}

// partWriter cuts what is written into chunks.
type partWriter struct {
	to   *Writer
	part Part
	hash hash.Hash
	held []byte
}

func (p *partWriter) Write(b []byte) (int, error) {
	p.hash.Write(b)
	p.part.Bytes += int64(len(b))
	p.part.Rows += int64(bytes.Count(b, []byte{'\n'}))
	for rest := b; len(rest) > 0; {
		n := min(chunk-len(p.held), len(rest))
		p.held, rest = append(p.held, rest[:n]...), rest[n:]
		if len(p.held) == chunk {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

func (p *partWriter) flush() error {
	if len(p.held) == 0 {
		return nil
	}
	err := p.to.frame(frameData, p.held)
	p.held = p.held[:0]
	return err
}

func (p *partWriter) done() Part {
	p.hash.Sum(p.part.SHA256[:0])
	return p.part
}
