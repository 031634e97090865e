// Package settings holds what a tenant decides about itself: how its people sign in and how long that lasts.
//
// A tenant that has decided nothing has [Default]. The platform's floors are part of the type: a Settings that
// [Settings.Check] accepts cannot weaken what the service promises. Reading is free on the hot path ([Store.Of] answers
// from memory) and a change is seen by every replica within a second.
package settings

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Settings is a tenant's decisions. It is what is stored, and sent and taken as JSON.
type Settings struct {
	Password Password `json:"password"`
	MFA      MFA      `json:"mfa"`
	Tokens   Tokens   `json:"tokens"`
	Mail     Mail     `json:"mail"`

	Sessions       Sessions `json:"sessions"`
	AllowedOrigins []string `json:"allowed_origins"` // of pages that may call the service with a browser, see CORS
	ReturnURLs     []string `json:"return_urls"`     // of applications, where people are sent after signing in, with a code
	Branding       Branding `json:"branding"`
	Locale         *string  `json:"locale"` // BCP 47; null: the one the platform knows of the tenant
}

// Password is the rule for new passwords.
type Password struct {
	// MinLength in code points, 8 to 64. Null: 15, or 8 where everybody has to prove a second factor.
	MinLength *int `json:"min_length"`
}

// MFA says who has to prove a second factor, and with what.
type MFA struct {
	Demand    Demand   `json:"demand"`
	Roles     []string `json:"roles"`      // whom Demand roles means
	Methods   []string `json:"methods"`    // what may be enrolled
	GraceDays int      `json:"grace_days"` // from the making of an account, in which it may go without
	Authenticators
}

// Demand is who has to prove a second factor.
type Demand string

// Whoever has a factor is asked for it unless Demand is Off.
const (
	Off      Demand = "off"
	Optional Demand = "optional"
	Roles    Demand = "roles"
	All      Demand = "all"
)

// Tokens says how long sign-ins last and whom access tokens are for besides the service itself.
type Tokens struct {
	AccessSeconds          int      `json:"access_seconds"`
	RefreshIdleSeconds     int      `json:"refresh_idle_seconds"`
	RefreshAbsoluteSeconds int      `json:"refresh_absolute_seconds"`
	Audiences              []string `json:"audiences"`
}

// Methods are the kinds of second factor, in the order they are offered.
var Methods = []string{"totp", "webauthn_passkey", "webauthn_fido"}

// Default is what holds for a tenant that has decided nothing. Lifetimes are those of NIST SP 800-63B-4 for an
// assurance level of 2, and the ten minutes in which a right taken away may still be believed elsewhere.
func Default() Settings {
	return Settings{
		MFA: MFA{Demand: Optional, Roles: []string{}, Methods: slices.Clone(Methods),
			Authenticators: Authenticators{AllowedAAGUIDs: []string{}, AttestationRoots: []string{}}},
		Tokens: Tokens{AccessSeconds: 600, RefreshIdleSeconds: 12 * 3600, RefreshAbsoluteSeconds: 24 * 3600, Audiences: []string{}},
		Mail:   Mail{Templates: letter.Templates{}},

		Sessions: Sessions{MaxPerUser: MostSessions}, AllowedOrigins: []string{}, ReturnURLs: []string{},
	}
}

// Language is what the tenant's people are written to in, unless they prefer another.
func (s Settings) Language(t tenancy.Tenant) string {
	if s.Locale != nil {
		return *s.Locale
	}
	return t.Locale
}

// DisplayName is what the tenant's people know it as.
func (s Settings) DisplayName(t tenancy.Tenant) string {
	if s.Branding.Name != nil {
		return *s.Branding.Name
	}
	return t.Name
}

// MinLength is the shortest password that may be set.
func (s Settings) MinLength() int {
	switch {
	case s.Password.MinLength != nil:
		return *s.Password.MinLength
	case s.MFA.Demand == All && s.MFA.GraceDays == 0:
		return 8
	default:
		return 15
	}
}

// Access, RefreshIdle and RefreshAbsolute are the lifetimes as durations.
func (t Tokens) Access() time.Duration      { return time.Duration(t.AccessSeconds) * time.Second }
func (t Tokens) RefreshIdle() time.Duration { return time.Duration(t.RefreshIdleSeconds) * time.Second }
func (t Tokens) RefreshAbsolute() time.Duration {
	return time.Duration(t.RefreshAbsoluteSeconds) * time.Second
}

// Demands reports whether somebody with these roles, whose account was made then, has to prove a second factor now, and
// whether they are still in the days of grace.
func (m MFA) Demands(roles []string, made, now time.Time) (demanded, grace bool) {
	switch m.Demand {
	case All:
		demanded = true
	case Roles:
		demanded = slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(m.Roles, r) })
	}
	return demanded, demanded && now.Before(made.AddDate(0, 0, m.GraceDays))
}

// Offers reports whether the tenant's people may use a kind of second factor.
func (m MFA) Offers(method string) bool {
	return m.Demand != Off && slices.Contains(m.Methods, method)
}

// Enrollable are the methods that users may set up.
func (m MFA) Enrollable() []string {
	if m.Demand == Off {
		return nil
	}
	return m.Methods
}

// Check reports every member that breaks a rule, by path.
func (s Settings) Check() map[string]string {
	bad := map[string]string{}
	within := func(path string, n, low, high int) {
		if n < low || n > high {
			bad[path] = fmt.Sprintf("must be from %d to %d", low, high)
		}
	}
	if s.Password.MinLength != nil {
		within("password.min_length", *s.Password.MinLength, 8, 64)
	}
	s.MFA.check(bad, within)
	s.Mail.check(bad)
	s.Branding.check(bad)
	s.checkAddresses(bad)
	within("sessions.max_per_user", s.Sessions.MaxPerUser, 1, MostSessions)
	within("tokens.access_seconds", s.Tokens.AccessSeconds, 60, int(tenancy.MaxAccessLife.Seconds()))
	within("tokens.refresh_absolute_seconds", s.Tokens.RefreshAbsoluteSeconds, 600, 30*24*3600)
	within("tokens.refresh_idle_seconds", s.Tokens.RefreshIdleSeconds, 300, max(300, s.Tokens.RefreshAbsoluteSeconds))
	if len(s.Tokens.Audiences) > 20 || slices.ContainsFunc(s.Tokens.Audiences, badAudience) {
		bad["tokens.audiences"] = "must be at most 20 names or URLs of 1 to 200 printable characters"
	}
	return bad
}

func (m MFA) check(bad map[string]string, within func(string, int, int, int)) {
	if !slices.Contains([]Demand{Off, Optional, Roles, All}, m.Demand) {
		bad["mfa.demand"] = "must be off, optional, roles or all"
	}
	if m.Demand == Roles && len(m.Roles) == 0 {
		bad["mfa.roles"] = "must hold a role"
	}
	if slices.ContainsFunc(m.Roles, func(r string) bool { return r != "admin" && r != "user" }) {
		bad["mfa.roles"] = "must hold roles from: admin, user"
	}
	if slices.ContainsFunc(m.Methods, func(x string) bool { return !slices.Contains(Methods, x) }) {
		bad["mfa.methods"] = "must hold methods from: " + strings.Join(Methods, ", ")
	}
	if (m.Demand == Roles || m.Demand == All) && len(m.Methods) == 0 {
		bad["mfa.methods"] = "must hold a method where a second factor is demanded"
	}
	within("mfa.grace_days", m.GraceDays, 0, 90)
	m.Authenticators.check(bad)
}

func badAudience(a string) bool {
	return a == "" || len(a) > 200 || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Store keeps settings in the tenant's schema.
type Store struct {
	db    *tenancy.DB
	now   func() time.Time
	known *tenancy.PerTenant[*Settings]
}

// NewStore makes a Store.
func NewStore(db *tenancy.DB, now func() time.Time) *Store {
	s := &Store{db: db, now: now}
	s.known = tenancy.NewPerTenant(s.remembered)
	return s
}

// Of is a tenant's settings from memory, without the logo. They are shared: what they point to must not be changed.
func (s *Store) Of(ctx context.Context, t tenancy.Tenant) (Settings, error) {
	found, err := s.known.Of(ctx, t)
	if err != nil {
		return Settings{}, err
	}
	return *found, nil
}

// undecided is what most tenants have in memory together: those that have decided nothing.
var undecided = Default()

// remembered is Read for what is kept in memory, for many tenants: without the logo, which is longer than all the rest and
// wanted by pages alone.
func (s *Store) remembered(ctx context.Context, t tenancy.Tenant) (*Settings, error) {
	found, err := s.Read(ctx, t)
	if err != nil {
		return nil, err
	}
	found.Branding.Logo = nil
	if reflect.DeepEqual(found, undecided) {
		return &undecided, nil
	}
	return &found, nil
}

// Read is a tenant's settings as the database has them now.
func (s *Store) Read(ctx context.Context, t tenancy.Tenant) (found Settings, err error) {
	found = Default()
	err = s.db.InBatch(ctx, t, func(b *tenancy.Batch) { read(b, &found) })
	if logo := found.Branding.Logo; logo != nil {
		found.Branding.LogoTag = logoTag(*logo)
	}
	return found, err
}

// Change replaces a tenant's settings by what over makes of them, which must pass Check.
func (s *Store) Change(ctx context.Context, by tenancy.Admitted, over func(Settings) Settings) (n Settings, err error) {
	err = s.db.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		was, err := lock(ctx, tx)
		if err != nil {
			return err
		}
		n = over(was)
		if err := write(ctx, tx, n); err != nil {
			return err
		}
		if err := tenancy.Announce(ctx, tx); err != nil {
			return err
		}
		return record(ctx, tx, by.Actor, was, n, s.now())
	})
	return n, err
}
