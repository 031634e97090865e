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
	Expires        time.Time // whatever is done with it
	Client         Client    // that signed in
	Application    string    // return URL of the application whose session it is; empty: none
	Refreshed      time.Time // when its newest refresh token was made
	RefreshExpires time.Time // unless it is refreshed before

	seed       []byte // of its refresh tokens, see refreshToken
	generation int    // of the newest of them, from 1
}

// newSession makes a session that begins now.
func newSession(p Proof, now time.Time, l settings.Tokens) Session {
	return Session{
		ID: id.NewSession(), User: p.User, AMR: p.AMR, ACR: p.acr(), AuthTime: p.AuthTime, Client: p.Client,
		Created: now, Expires: now.Add(l.RefreshAbsolute()),
		Refreshed: now, RefreshExpires: now.Add(min(l.RefreshIdle(), l.RefreshAbsolute())),
		seed: newSeed(), generation: 1,
	}
}

// proof is what the session has proved.
func (s Session) proof() Proof {
	return Proof{User: s.User, AMR: s.AMR, AuthTime: s.AuthTime, Session: s.ID}
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
