package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

const (
	accessType     = "at+jwt"         // RFC 9068 section 2.1
	clockLeeway    = 30 * time.Second // between this replica's clock and another's
	maxTokenLength = 8 << 10          // bytes; ours are about one kilobyte
)

// LongestAccess is how long an access token may be good for here, whatever its tenant has set: the longest life there is to
// choose, and the leeway given to clocks.
const LongestAccess = tenancy.MaxAccessLife + clockLeeway

// Claims is the content of an access token (RFC 9068 section 2.2), as far as it is ours.
type Claims struct {
	jwt.RegisteredClaims
	Session       id.Session       `json:"sid"`
	Tenant        id.Tenant        `json:"tenant_id"`
	TenantSlug    tenancy.Slug     `json:"tenant_slug"`
	Email         Email            `json:"email"`
	EmailVerified bool             `json:"email_verified"`
	Name          string           `json:"name"`
	Roles         []Role           `json:"roles"`
	AMR           []string         `json:"amr"` // RFC 8176
	ACR           string           `json:"acr"`
	AuthTime      *jwt.NumericDate `json:"auth_time"`
}

// Tokens mints access tokens and checks them. This file is the only one that mints.
type Tokens struct {
	Keyring *tenancy.Keyring
	Signer  custody.Custodian
	Address tenancy.Address
	Now     func() time.Time
}

// mint signs an access token with the tenant's own key, which stays in custody. A token does not outlive its session.
func (k *Tokens) mint(ctx context.Context, t tenancy.Tenant, u User, s Session, l settings.Tokens, now time.Time) (string, time.Time, error) {
	keys, err := k.Keyring.Of(ctx, t)
	if err != nil {
		return "", time.Time{}, err
	}
	key, err := keys.Signer()
	if err != nil {
		return "", time.Time{}, err
	}
	issuer := k.Address.Issuer(t)
	expires := earlier(now.Add(l.Access()), s.Expires).Truncate(time.Second).UTC()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(string(key.Algorithm)), Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Subject: u.ID.String(), Audience: append(jwt.ClaimStrings{issuer}, l.Audiences...), ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Session: s.ID, Tenant: t.ID, TenantSlug: t.Slug, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Roles: u.Roles, AMR: s.AMR, ACR: s.ACR, AuthTime: jwt.NewNumericDate(s.AuthTime),
	})
	token.Header["typ"], token.Header["kid"] = accessType, key.KID
	input, err := token.SigningString()
	if err != nil {
		return "", time.Time{}, err
	}
	signature, err := k.Signer.Sign(ctx, t.ID, key.SigningKey, []byte(input))
	if err != nil {
		return "", time.Time{}, tenancy.KeysError(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), expires, nil
}

// Check is the claims of an access token of the tenant, if it holds: signed by a key of the tenant with that key's one
// algorithm (RFC 8725 section 3.1), of the right type, from an issuer of the tenant, for that, and neither expired nor early.
// Key material in the header is ignored, and a critical extension refused (RFC 7515 section 4.1.11). Any failure is the
// same 401.
func (k *Tokens) Check(ctx context.Context, t tenancy.Tenant, token string) (*Claims, error) {
	if len(token) > maxTokenLength {
		return nil, problem.BadCredential()
	}
	keys, err := k.Keyring.Of(ctx, t)
	if err != nil {
		return nil, err
	}
	return k.read(keys, t, token)
}

// read is Check with the tenant's keys at hand.
func (k *Tokens) read(keys *tenancy.Keys, t tenancy.Tenant, token string) (*Claims, error) {
	parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(clockLeeway), jwt.WithTimeFunc(k.Now))
	var c Claims
	_, err := parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) {
		return verificationKey(keys, token.Header)
	})
	if err != nil {
		return nil, problem.BadCredential().With(err)
	}
	if c.Tenant != t.ID || c.ID == "" || c.IssuedAt == nil {
		return nil, problem.BadCredential()
	}
	if !k.Address.Issued(t, c.Issuer, k.Now()) || !slices.Contains(c.Audience, c.Issuer) {
		return nil, problem.BadCredential()
	}
	return &c, nil
}

var errHeader = errors.New("identity: not the header of an access token of this tenant")

func verificationKey(keys *tenancy.Keys, header map[string]any) (any, error) {
	kid, _ := header["kid"].(string)
	key, ok := keys.Public.ByKID(kid)
	if _, critical := header["crit"]; !ok || critical || header["typ"] != accessType || header["alg"] != string(key.Algorithm) {
		return nil, errHeader
	}
	return key.Key, nil
}
