package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// devFile is dev.json, the facts of a development platform for scripts.
type devFile struct {
	URL      string      `json:"url"`
	MailURL  string      `json:"mail_url,omitempty"` // not where mails go to a server of somebody's
	Tenants  []devTenant `json:"tenants"`
	Platform devPlatform `json:"platform"`
}

type devTenant struct {
	ID          id.Tenant    `json:"id"`
	Slug        tenancy.Slug `json:"slug"`
	Host        tenancy.Host `json:"host"`
	Users       []devUser    `json:"users"`
	AdminAPIKey string       `json:"admin_api_key"`
}

type devUser struct {
	Email    identity.Email `json:"email"`
	Password string         `json:"password"`
	Role     identity.Role  `json:"role"`
	// TOTPSecret is of those who owe a code after the password; gatehouse dev code tells the current one.
	TOTPSecret string `json:"totp_secret,omitempty"`
}

type devPlatform struct {
	TenantID id.Tenant `json:"tenant_id"`
	APIKey   string    `json:"api_key"`
}

// demoTOTP is who has an authenticator app.
const demoTOTP = "tess"

// demo is who lives in the demo tenants. Their passwords are made at the first start: a password that is the same
// everywhere is a password somebody leaves in place.
var demo = []struct {
	slug  tenancy.Slug
	users map[string]identity.Role
	order []string
}{
	{"acme", map[string]identity.Role{"ada": identity.RoleAdmin, "bob": identity.RoleUser, demoTOTP: identity.RoleUser}, []string{"ada", "bob", demoTOTP}},
	{"globex", map[string]identity.Role{"gwen": identity.RoleAdmin, "hank": identity.RoleUser}, []string{"gwen", "hank"}},
}

// furnish makes whatever of the platform tenant and the demo is missing. A start that was killed may have made keys and
// accounts and not written their secrets down; new ones are made then.
func (d *dev) furnish(ctx context.Context, p *platform) (devFile, error) {
	last := d.state.secrets.Demo
	// An earlier start may have been stopped in the middle of making a tenant.
	if err := p.provision.FinishAll(ctx, 0); err != nil {
		return devFile{}, err
	}
	now := devFile{URL: p.config.Address.Origin(p.config.Address.Shared()), MailURL: d.mailURL}
	master, key, err := d.ensureTenant(ctx, p, tenancy.Tenant{Slug: tenancy.PlatformSlug, Name: "Platform", Locale: "en", Master: true}, last.Platform.APIKey)
	if err != nil {
		return devFile{}, err
	}
	now.Platform = devPlatform{master.ID, key}
	for _, want := range demo {
		var known devTenant
		for _, t := range last.Tenants {
			if t.Slug == want.slug {
				known = t
			}
		}
		name := strings.ToUpper(string(want.slug[:1])) + string(want.slug[1:])
		t, key, err := d.ensureTenant(ctx, p, tenancy.Tenant{Slug: want.slug, Name: name, Locale: "en"}, known.AdminAPIKey)
		if err != nil {
			return devFile{}, err
		}
		made := devTenant{ID: t.ID, Slug: t.Slug, Host: t.PrimaryDomain, AdminAPIKey: key}
		for _, name := range want.order {
			u, err := ensureUser(ctx, p, t, name, want.users[name], known.Users)
			if err != nil {
				return devFile{}, err
			}
			made.Users = append(made.Users, u)
		}
		now.Tenants = append(now.Tenants, made)
	}
	d.state.secrets.Demo = now
	return now, d.state.writeJSON("secrets.json", d.state.secrets)
}

// ensureTenant finds or makes a tenant, and an administration key for it unless one is known.
func (d *dev) ensureTenant(ctx context.Context, p *platform, want tenancy.Tenant, key string) (tenancy.Tenant, string, error) {
	t, err := p.directory.BySlug(ctx, want.Slug)
	if errors.Is(err, tenancy.ErrUnknown) {
		d.say("creating tenant %s ...", want.Slug)
		made, err := p.provision.Create(ctx, want)
		if refused, ok := errors.AsType[*problem.Error](err); ok && refused.Code == "slug_taken" {
			err = fmt.Errorf("the demo tenant %s was deleted or renamed, and its slug is parked: remove %s to start afresh", want.Slug, d.state.dir)
		}
		return made.Tenant, made.AdminKey, err
	}
	if err != nil {
		return t, "", err
	}
	if err := d.keysThere(ctx, p, t); err != nil || key != "" {
		return t, key, err
	}
	n, err := identity.ParseNewAPIKey(t, "Administration", nil)
	if err != nil {
		return t, "", err
	}
	_, key, err = p.apiKeys.Issue(ctx, t, n)
	return t, key, err
}

// keysThere tells a folder whose keys were removed before the first login does.
func (d *dev) keysThere(ctx context.Context, p *platform, t tenancy.Tenant) error {
	keys, err := p.keyring.Of(ctx, t)
	if err != nil {
		return err
	}
	_, err = p.custodian.Sign(ctx, t.ID, keys.Active.SigningKey, []byte("gatehouse dev"))
	if errors.Is(err, custody.ErrNoKey) {
		return d.damaged("the keys of tenant " + string(t.Slug) + " are gone")
	}
	return err
}

func ensureUser(ctx context.Context, p *platform, t tenancy.Tenant, name string, role identity.Role, known []devUser) (devUser, error) {
	email := identity.Email(name + "@" + string(t.Slug) + ".example")
	found, _, err := p.users.List(ctx, t, id.User{}, 1, email, "")
	if err != nil {
		return devUser{}, err
	}
	if len(found) == 1 {
		for _, u := range known {
			if u.Email == email {
				return u, nil
			}
		}
		// The account is there and nobody knows its password.
		if err := p.users.Delete(ctx, identity.Operator(t), found[0].ID); err != nil {
			return devUser{}, err
		}
	}
	n, err := identity.ParseNewUser(string(email), strings.ToUpper(name[:1])+name[1:], []string{string(role)}, true)
	if err != nil {
		return devUser{}, err
	}
	text := rand.Text()
	if n.Password, err = password.Parse(text); err != nil {
		return devUser{}, err
	}
	made, err := p.users.Add(ctx, t, n)
	if err != nil {
		return devUser{}, err
	}
	if name == demoTOTP {
		secret, err := p.factors.ProvisionTOTP(ctx, t, made.ID)
		return devUser{email, text, role, secret}, err
	}
	return devUser{Email: email, Password: text, Role: role}, nil
}
