package tenancy

import (
	"errors"
	"regexp"
)

// Slug is a tenant's name in URLs: platform-unique, case-exact, never given to another tenant.
type Slug string

// PlatformSlug is the slug of the platform tenant.
const PlatformSlug Slug = "platform"

// The two ways a slug is refused; both sentences are safe to show.
var (
	ErrSlugGrammar  = errors.New("must be 3 to 40 characters: lower-case letters, digits and dashes, beginning with a letter and not ending with a dash")
	ErrSlugReserved = errors.New("is reserved")
)

var slugGrammar = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}[a-z0-9]$`)

// reserved are names that a visitor would take for the platform itself, or that a later path or host may need.
var reserved = func() map[Slug]bool {
	m := map[Slug]bool{}
	for _, s := range []Slug{
		PlatformSlug, "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "auth", "billing",
		"blog", "cdn", "console", "control", "dashboard", "default", "demo", "dev", "docs", "example", "gatehouse", "health",
		"healthz", "help", "hostmaster", "identity", "imap", "internal", "invalid", "jwks", "local", "localhost", "login",
		"logout", "mail", "master", "metrics", "mfa", "none", "ns1", "ns2", "null", "oauth", "oidc", "openapi", "operator",
		"owner", "pop3", "postmaster", "public", "readyz", "register", "root", "saml", "security", "settings", "shared",
		"signin", "signup", "smtp", "sso", "staging", "static", "status", "support", "system", "template", "tenant",
		"tenants", "test", "undefined", "unknown", "user", "users", "webmaster", "well-known", "wpad", "www",
	} {
		m[s] = true
	}
	return m
}()

// ParseSlug reads a slug that should name a tenant that exists. It does not fold case: two spellings of one tenant
// would be two cache keys and two counters.
func ParseSlug(s string) (Slug, error) {
	if !slugGrammar.MatchString(s) {
		return "", ErrSlugGrammar
	}
	return Slug(s), nil
}

// ParseNewSlug reads a slug for a tenant yet to be made. Besides the reserved words it refuses a double dash in third
// place ("xn--..."), which as a host label would read as an internationalised name (RFC 5891 section 4.2.3.1).
func ParseNewSlug(s string) (Slug, error) {
	slug, err := ParseSlug(s)
	if err != nil {
		return "", err
	}
	if reserved[slug] || (len(s) > 3 && s[2:4] == "--") {
		return "", ErrSlugReserved
	}
	return slug, nil
}
