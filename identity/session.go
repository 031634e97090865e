package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Session is one sign-in of a user, from login to logout or expiry.
type Session struct {
	ID             id.Session
	User           id.User
	AMR            []string
	ACR            string
	AuthTime       time.Time
	Created        time.Time
	Expires        time.Time
	Client         Client
	RefreshHash    []byte
	RefreshExpires time.Time
}

// refreshPrefix begins every refresh token, so that secret scanners recognise one.
const refreshPrefix = "ghr_"

// newSession makes a session and its first refresh token, of which only a hash is kept. A plain SHA-256 is enough for
// a secret of 256 random bits. For a step-up it is what the session there is to become.
func newSession(t tenancy.Tenant, p Proof, now time.Time, l settings.Tokens) (Session, string) {
	refresh := newSecret(refreshPrefix, t)
	s := Session{
		ID: p.Session, User: p.User, AMR: p.AMR, ACR: p.acr(), AuthTime: p.AuthTime,
		Created: now, Expires: now.Add(l.RefreshAbsolute()), Client: p.Client,
		RefreshHash: hashSecret(refresh), RefreshExpires: now.Add(min(l.RefreshIdle(), l.RefreshAbsolute())),
	}
	if s.ID.IsZero() {
		s.ID = id.NewSession()
	}
	return s, refresh
}

// newSecret makes an opaque credential of 256 random bits.
func newSecret(prefix string, t tenancy.Tenant) string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand since Go 1.24)
	return tenancy.FormatSecret(prefix, t.ID, secret)
}

func hashSecret(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// printable keeps what Postgres takes and a list can show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// nullAddr is null for an address nobody knows.
func nullAddr(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a
}
