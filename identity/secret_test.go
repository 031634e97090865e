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

func TestASecretIsKeptAsItsHashAlone(t *testing.T) {
	t.Parallel()
	tenant := tenancy.Tenant{ID: id.NewTenant()}
	now := time.Now()
	k, raw := generateAPIKey(tenant, NewAPIKey{Name: "k"}, id.User{}, now)
	if !bytes.Equal(k.hash, hashSecret(raw)) || len(k.hash) != 32 || !strings.HasPrefix(raw, k.Prefix) || len(raw)-len(k.Prefix) < 22 {
		t.Errorf("%d characters of %q are unknown to whoever reads the database", len(raw)-len(k.Prefix), k.Prefix)
	}
}

func TestARefreshTokenNeverOutlivesItsSession(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, l := range []settings.Tokens{settings.Default().Tokens, {RefreshIdleSeconds: 3600, RefreshAbsoluteSeconds: 60}} {
		s := newSession(Proof{}, now, l)
		if s.RefreshExpires.After(s.Expires) || !s.Expires.Equal(now.Add(l.RefreshAbsolute())) {
			t.Errorf("%+v: token until %s, session until %s", l, s.RefreshExpires, s.Expires)
		}
	}
}
