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
// a secret of 256 random bits.
func newSession(t tenancy.Tenant, in login, now time.Time, l Lifetimes) (Session, string) {
	refresh := newSecret(refreshPrefix, t)
	s := Session{
		ID: id.NewSession(), User: in.account.User.ID, AMR: in.amr, ACR: in.acr, AuthTime: in.authTime,
		Created: now, Expires: now.Add(l.RefreshAbsolute), Client: in.client,
		RefreshHash: hashSecret(refresh), RefreshExpires: now.Add(min(l.RefreshIdle, l.RefreshAbsolute)),
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
