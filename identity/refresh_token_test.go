package identity

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

func TestARefreshTokenIsMadeOfKeySeedSessionAndGeneration(t *testing.T) {
	t.Parallel()
	tenant := tenancy.Tenant{ID: id.NewTenant()}
	key, now := []byte("the key of a tenant"), time.Now()
	s := newSession(Proof{}, now, settings.Default().Tokens)
	text := s.refreshToken(key, tenant)
	token, ok := parseRefreshToken(tenant, text)
	if !ok || !s.made(key, token) || token.session != s.ID || token.generation != 1 || text != s.refreshToken(key, tenant) {
		t.Fatalf("%q gives %+v", text, token)
	}
	other := func(change func(*Session)) Session { o := s; change(&o); return o }
	for name, o := range map[string]Session{
		"another session": other(func(o *Session) { o.ID = id.NewSession() }),
		"another seed":    other(func(o *Session) { o.seed = newSeed() }),
		"no seed":         other(func(o *Session) { o.seed = nil }),
	} {
		if o.made(key, token) {
			t.Errorf("%s made it, too", name)
		}
	}
	if s.made([]byte("the key of another"), token) {
		t.Error("another key made it, too")
	}
	later := other(func(o *Session) { o.generation = 7 })
	if !later.made(key, token) || later.refreshToken(key, tenant) == text {
		t.Error("a session knows the tokens of its line, and they differ")
	}
	if token.generation = 2; s.made(key, token) {
		t.Error("the generation is not sealed")
	}
	if _, ok := parseRefreshToken(tenancy.Tenant{ID: id.NewTenant()}, text); ok {
		t.Error("it is of every tenant")
	}
	if bytes.Equal(s.seed, newSession(Proof{}, now, settings.Default().Tokens).seed) {
		t.Error("two sessions have one seed")
	}
}

func TestOnlyTheNewestTokenAndForAWhileTheOneBeforeAreAnswered(t *testing.T) {
	t.Parallel()
	refreshed := time.Now()
	s := Session{generation: 5, Refreshed: refreshed}
	for generation, last := range map[int]time.Duration{3: -1, 4: refreshRepeat, 5: time.Hour, 6: -1} {
		if got := s.answers(refreshToken{generation: generation}, refreshed.Add(max(last, 0))); got != (last >= 0) {
			t.Errorf("generation %d of 5 after %s: %t", generation, last, got)
		}
	}
	if s.answers(refreshToken{generation: 4}, refreshed.Add(refreshRepeat+1)) {
		t.Error("the one before is answered for ever")
	}
}

// FuzzRefreshToken: a refresh token has one spelling, and what is not one says nothing.
func FuzzRefreshToken(f *testing.F) {
	tenant := tenancy.Tenant{ID: id.Tenant{1, 2, 3}}
	begin := tenancy.FormatSecret(refreshPrefix, tenant.ID, nil)
	f.Add(strings.Repeat("A", 70))
	f.Fuzz(func(t *testing.T, rest string) {
		token, ok := parseRefreshToken(tenant, begin+rest)
		if !ok {
			if token != (refreshToken{}) {
				t.Errorf("%q is refused and gives %+v", rest, token)
			}
			return
		}
		raw := append(append([]byte{}, token.session[:]...), byte(token.generation>>24), byte(token.generation>>16), byte(token.generation>>8), byte(token.generation))
		if again := tenancy.FormatSecret(refreshPrefix, tenant.ID, append(raw, token.tag[:]...)); again != begin+rest {
			t.Errorf("%q is spelled %q", begin+rest, again)
		}
		if (Session{ID: token.session, seed: newSeed()}).made([]byte("key"), token) {
			t.Errorf("%q was not made by a session", rest)
		}
	})
}
