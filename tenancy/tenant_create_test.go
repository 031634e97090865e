package tenancy

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestACreationNamesAllThatIsBadAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	surface := &Platform{Provisioner: p.provision, Directory: p.directory, Repeat: p.repeat, CheckEmail: func(s string) (string, error) {
		if s == "bad" {
			return "", errors.New("must be an address")
		}
		return s, nil
	}}
	for body, want := range map[string]string{
		`{}`: "name slug",
		`{"name":1,"slug":"A","owner_email":"bad","locale":"?","region":"moon","database":"none"}`: "database locale name owner_email region slug",
		`{"name":"Acme","slug":"admin","owner_email":2,"owner_name":"Ada"}`:                        "owner_email slug",
		`{"name":"Acme","slug":"acme","owner_name":"Ada"}`:                                         "owner_email",
		`{"name":"Acme","slug":"acme","color":"red","locale":3,"owner_email":"bad"}`:               "color locale owner_email",
	} {
		_, err := post(t, surface.create, Tenant{}, body)
		if got := strings.Join(slices.Sorted(maps.Keys(badFields(err))), " "); got != want || codeOf(err) != "invalid_request" {
			t.Errorf("%s: %q (%v), want %q", body, got, err, want)
		}
	}
	if n := ask[int](t, p, "select count(*) from control.tenants"); n != 0 {
		t.Errorf("%d tenants", n)
	}
	slug := newSlug()
	w, err := post(t, surface.create, Tenant{}, `{"name":"Acme","slug":"`+string(slug)+`","owner_email":"ada@example.com"}`)
	check(t, err)
	var b tenantBody
	check(t, json.Unmarshal(w.Body.Bytes(), &b))
	if b.Slug != slug || b.Name != "Acme" || b.Locale != "en" || *b.OwnerEmail != "ada@example.com" || b.State != Active || b.AdminKey == "" {
		t.Errorf("%s", w.Body)
	}
}
