package tenancy

import (
	"testing"
	"time"
)

// Tokens of a tenant that comes from another installation name its place there, until they have expired.
func TestATenantThatCameMayHaveBeenBelowAnotherSharedHost(t *testing.T) {
	t.Parallel()
	a, err := ParseAddress("https://id.here.example")
	check(t, err)
	now := time.Now()
	tenant := Tenant{Slug: "acme", PrimaryDomain: "login.acme.example", FormerIssuers: []FormerIssuer{{Host: "id.there.example", Slug: "acme", EndedAt: now}}}
	for issuer, want := range map[string]bool{"https://id.there.example/t/acme": true, "https://login.acme.example": true, "https://id.there.example": false,
		"https://id.there.example/t/other": false, "https://id.here.example/t/acme": false} {
		if got := a.Issued(tenant, issuer, now); got != want {
			t.Errorf("%s: %v", issuer, got)
		}
	}
	if a.Issued(tenant, "https://id.there.example/t/acme", now.Add(2*time.Hour)) {
		t.Error("for ever")
	}
}
