package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Keys are public keys by kid, whose signatures are believed.
type Keys = map[string]tenancy.VerificationKey

// ParseKeys reads a JWKS.
func ParseKeys(jwks []byte) (Keys, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("not a JWKS: %w", err)
	}
	keys := Keys{}
	for _, jwk := range set.Keys {
		if err := addKey(keys, jwk); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWKS holds no key")
	}
	return keys, nil
}

func addKey(keys Keys, jwk json.RawMessage) error {
	kid, alg, public, err := custody.ParseJWK(jwk)
	if err == nil {
		keys[kid] = tenancy.VerificationKey{Algorithm: alg, Key: public}
	}
	return err
}

// Report is what a file proves.
type Report struct {
	Tenant      id.Tenant
	Exported    time.Time // as the file says of itself
	First, Last int64     // numbers of its entries; Last is before First where it has none
	Seals       []Sealed
}

// Sealed is a seal that held.
type Sealed struct {
	Seal

	KID string
}

// Covered is the number up to which entries are signed for.
func (r Report) Covered() int64 {
	if len(r.Seals) == 0 {
		return r.First - 1
	}
	return r.Seals[len(r.Seals)-1].Seq
}

// Verify checks an exported file: that each hash is over the one before and its entry, that no number is missing, that all
// entries are of one tenant, that every seal is of its entry's hash and signed by one of the keys, that the last entry is
// sealed, and that the file has its end. trusted nil believes the keys that the file brings: it then proves no more than that
// whoever made the file was of one mind. An error says what is wrong, and in which line.
func Verify(file io.Reader, trusted Keys) (Report, error) {
	v := verifier{trusted: trusted}
	if trusted == nil {
		v.trusted, v.fileKeys = Keys{}, true
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		if err := v.line(lines.Bytes()); err != nil {
			return v.report, fmt.Errorf("line %d %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return v.report, fmt.Errorf("line %d: %w", n+1, err)
	}
	switch {
	case n == 0:
		return v.report, errors.New("the file is empty")
	case !v.ended:
		return v.report, fmt.Errorf("the file is cut off after line %d: its end is missing", n)
	}
	return v.report, nil
}

type verifier struct {
	trusted  Keys
	fileKeys bool
	report   Report
	head     Head
	begun    bool
	ended    bool
}

var errPlaceOfLine = errors.New("does not belong there")

func (v *verifier) line(text []byte) error {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return errors.New("is not JSON")
	}
	if v.ended || v.begun == (kind.Kind == kindHeader) {
		return errPlaceOfLine
	}
	switch kind.Kind {
	case kindHeader:
		return read(text, v.header)
	case kindKey:
		return read(text, v.key)
	case kindEntry:
		return read(text, v.entry)
	case kindSeal:
		return read(text, v.seal)
	case kindEnd:
		return read(text, v.end)
	}
	return fmt.Errorf("is of a kind %q that does not exist", kind.Kind)
}

func read[L any](text []byte, check func(L) error) error {
	var l L
	if err := decodeStrictly(text, &l); err != nil {
		return fmt.Errorf("is not of its kind: %w", err)
	}
	return check(l)
}

func (v *verifier) header(h headerLine) error {
	if h.Format != fileFormat {
		return fmt.Errorf("says that the format is %q, and this is made for %q", h.Format, fileFormat)
	}
	if h.First < 1 || (h.First == 1) != (h.Before == Hash{}) {
		return errors.New("begins the chain at a wrong place")
	}
	v.begun = true
	v.report.Tenant, v.report.Exported, v.report.First, v.report.Last = h.Tenant, h.Exported, h.First, h.First-1
	v.head = Head{h.First - 1, h.Before}
	return nil
}

func (v *verifier) key(k keyLine) error {
	if v.fileKeys {
		return addKey(v.trusted, k.JWK)
	}
	return nil
}

func (v *verifier) entry(e entryLine) error {
	if want := v.head.Seq + 1; e.Seq != want {
		return fmt.Errorf("is entry %d where %d comes next", e.Seq, want)
	}
	if v.head = (Head{e.Seq, v.head.Hash.next(e.Entry)}); v.head.Hash != e.Hash {
		return fmt.Errorf("holds entry %d, whose hash is not over it and the one before: one of the two was altered", e.Seq)
	}
	v.report.Last = e.Seq
	var of struct {
		Tenant id.Tenant `json:"tenant_id"`
	}
	if err := json.Unmarshal([]byte(e.Entry), &of); err != nil || of.Tenant != v.report.Tenant {
		return fmt.Errorf("holds entry %d, which is not of tenant %s", e.Seq, v.report.Tenant)
	}
	return nil
}

func (v *verifier) seal(l sealLine) error {
	s, kid, err := openSeal(l.JWS, v.trusted)
	switch {
	case err != nil:
		return fmt.Errorf("holds a seal that %w", err)
	case s.Tenant != v.report.Tenant:
		return fmt.Errorf("holds a seal of another tenant, %s", s.Tenant)
	case s.Seq != v.head.Seq || s.Hash != v.head.Hash:
		return fmt.Errorf("holds a seal over entry %d with hash %s, and here is entry %d with hash %s: the log was altered after it was sealed",
			s.Seq, s.Hash, v.head.Seq, v.head.Hash)
	}
	v.report.Seals = append(v.report.Seals, Sealed{s, kid})
	return nil
}

func (v *verifier) end(e endLine) error {
	if got := v.report.Last - v.report.First + 1; e.Entries != got {
		return fmt.Errorf("says that there are %d entries, and there are %d", e.Entries, got)
	}
	if covered := v.report.Covered(); covered < v.report.Last {
		return fmt.Errorf("ends the file, and no seal covers entries %d to %d", covered+1, v.report.Last)
	}
	v.ended = true
	return nil
}
