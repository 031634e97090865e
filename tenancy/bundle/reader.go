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
	"slices"
)

// Read reads a bundle to its end and hands each part to use, which need not read all of its rows. What comes back are the parts, as they
// were read, and the text of the manifest, whose signature nobody has looked at yet: until it holds and Check has
// compared the parts with it, nothing that use was given is to be believed. Errors: ErrNotBundle, ErrCutOff, ErrMalformed, those of
// use, and those of reading.
func Read(from io.Reader, use func(h Header, rows io.Reader) error) (parts []Part, jws string, err error) {
	r := &reader{from: bufio.NewReaderSize(from, chunk)}
	first := make([]byte, len(magic))
	if _, err := io.ReadFull(r.from, first); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", err
	}
	if string(first) != magic {
		return nil, "", ErrNotBundle
	}
	for {
		kind, size, err := r.head()
		if err != nil {
			return nil, "", err
		}
		switch {
		case kind == frameManifest && size > 0 && size <= maxManifest:
			jws, err := r.end(size)
			return parts, jws, err
		case kind == frameBegin && size <= maxHeader && len(parts) < maxParts:
			p, err := r.part(size, use)
			if err != nil {
				return nil, "", err
			}
			parts = append(parts, p)
		default:
			return nil, "", ErrMalformed
		}
	}
}

// Skip is a use of rows that are only to be hashed.
func Skip(Header, io.Reader) error { return nil }

// Check compares the parts that were read with those that were signed.
func (m Manifest) Check(read []Part) error {
	if m.Format != Format {
		return ErrNotBundle
	}
	if !slices.EqualFunc(m.Parts, read, Part.same) {
		return ErrAltered
	}
	return nil
}

func (p Part) same(o Part) bool {
	return p.Name == o.Name && slices.Equal(p.Columns, o.Columns) && p.Rows == o.Rows && p.Bytes == o.Bytes && p.SHA256 == o.SHA256
}

type reader struct {
	from *bufio.Reader
	buf  []byte // of the chunk at hand
}

// head reads what a frame begins with.
func (r *reader) head() (kind byte, size int, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return 0, 0, cutOff(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxManifest { // the largest frame there is
		return 0, 0, ErrMalformed
	}
	return head[0], int(n), nil
}

func (r *reader) payload(size int) ([]byte, error) {
	if cap(r.buf) < size {
		r.buf = make([]byte, max(size, chunk))
	}
	b := r.buf[:size]
	_, err := io.ReadFull(r.from, b)
	return b, cutOff(err)
}

// end reads the manifest, behind which there is nothing.
func (r *reader) end(size int) (string, error) {
	jws, err := r.payload(size)
	if err != nil {
		return "", err
	}
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return "", ErrMalformed
	case !errors.Is(err, io.EOF):
		return "", err
	}
	return string(jws), nil
}

func (r *reader) part(size int, use func(Header, io.Reader) error) (Part, error) {
	text, err := r.payload(size)
	if err != nil {
		return Part{}, err
	}
	var h Header
	if err := json.Unmarshal(text, &h); err != nil {
		return Part{}, ErrMalformed
	}
	if again, err := json.Marshal(h); err != nil || !bytes.Equal(again, text) {
		return Part{}, ErrMalformed
	}
	rows := &partReader{from: r, part: Part{Header: h}, hash: sha256.New()}
	if err := use(h, rows); err != nil {
		return Part{}, err
	}
	_, err = io.Copy(io.Discard, rows)
	return rows.part, err
}

// partReader gives out the bytes of one part.
type partReader struct {
	from  *reader
	part  Part
	hash  hash.Hash
	held  []byte // of the newest chunk, not given out yet
	last  bool   // that chunk was not a full one
	ended bool
	open  bool // the newest byte is not the end of a row
}

func (p *partReader) Read(b []byte) (int, error) {
	for len(p.held) == 0 {
		if p.ended {
			return 0, io.EOF
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.held)
	p.held = p.held[n:]
	return n, nil
}

func (p *partReader) next() error {
	kind, size, err := p.from.head()
	if err != nil {
		return err
	}
	if kind == frameEnd && size == 0 && !p.open {
		p.ended = true
		p.hash.Sum(p.part.SHA256[:0])
		return nil
	}
	if kind != frameData || size == 0 || size > chunk || p.last {
		return ErrMalformed
	}
	if p.held, err = p.from.payload(size); err != nil {
		return err
	}
	p.last, p.open = size < chunk, p.held[size-1] != '\n'
	p.hash.Write(p.held)
	p.part.Bytes += int64(size)
	p.part.Rows += int64(bytes.Count(p.held, []byte{'\n'}))
	return nil
}

// cutOff is what the end of the file in the middle of a bundle means.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCutOff
	}
	return err
}
