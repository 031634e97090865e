package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// A refresh token is spent by being used, and the answer holds its successor. It says itself which session it is of and
// which in the line of that session's tokens:
//
//	ghr_ tenant _ session id (16 bytes) | generation (4) | tag (32)
//	tag = HMAC-SHA256(key of the tenant, session id | generation | seed of the session)
//
// The key is made by custody and kept in memory, the seed is in the session's row, and neither makes a token without the
// other: a stolen database holds no token and nothing to make one of. What this gives, and stored hashes do not:
//
//   - the successor of a token can be made again for a client that lost the answer, and is stored nowhere;
//   - every token of the line is recognised for ever, however old, without a table of used ones;
//   - whoever knows a session's id, as every service that sees an access token does, cannot make a token that looks used and
//     have the session ended.
type refreshToken struct {
	session    id.Session
	generation int
	tag        [sha256.Size]byte
}

const (
	// refreshPrefix begins every refresh token, so that secret scanners recognise one.
	refreshPrefix = "ghr_"

	generationAt  = len(id.Session{})
	tagAt         = generationAt + 4
	refreshLength = tagAt + sha256.Size
)

// refreshRepeat is how long after a refresh the token it spent is answered once more, with the same successor, to a client
// that lost the answer.
const refreshRepeat = 10 * time.Second

// parseRefreshToken reads what a token of the tenant says. Nothing in it is proved.
func parseRefreshToken(t tenancy.Tenant, text string) (r refreshToken, ok bool) {
	raw, ok := tenancy.ParseSecret(refreshPrefix, t.ID, text)
	if !ok || len(raw) != refreshLength {
		return refreshToken{}, false
	}
	copy(r.session[:], raw)
	r.generation = int(binary.BigEndian.Uint32(raw[generationAt:]))
	copy(r.tag[:], raw[tagAt:])
	return r, true
}

// refreshToken is the newest refresh token of the session.
func (s Session) refreshToken(key []byte, t tenancy.Tenant) string {
	raw := binary.BigEndian.AppendUint32(s.ID[:], uint32(s.generation)) //nolint:gosec // from 1, and one more for each refresh
	return tenancy.FormatSecret(refreshPrefix, t.ID, append(raw, s.tag(key, s.generation)...))
}

// made reports whether the token is one of the session's, spent or not.
func (s Session) made(key []byte, r refreshToken) bool {
	return r.session == s.ID && len(s.seed) == seedLength && hmac.Equal(s.tag(key, r.generation), r.tag[:])
}

func (s Session) tag(key []byte, generation int) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(s.ID[:])
	_ = binary.Write(m, binary.BigEndian, uint32(generation)) //nolint:gosec // as above; a hash does not fail
	m.Write(s.seed)
	return m.Sum(nil)
}

// answers reports whether the session has an answer to a token of its line: to the newest, and for a while to the one
// before. Any other was stolen, or comes from before a theft: one of two clients that both have it is not the user's.
func (s Session) answers(r refreshToken, now time.Time) bool {
	return r.generation == s.generation || r.generation == s.generation-1 && s.justRefreshed(now)
}

func (s Session) justRefreshed(now time.Time) bool { return !now.After(s.Refreshed.Add(refreshRepeat)) }

const seedLength = 16

func newSeed() []byte {
	seed := make([]byte, seedLength)
	_, _ = rand.Read(seed) // never fails (crypto/rand since Go 1.24)
	return seed
}
