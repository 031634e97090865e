package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// sealType tells a seal from everything else that a tenant's key signs. An access token is at+jwt, and nothing that takes
// tokens takes another type; a seal has besides no issuer, no audience, no subject and no expiry, so that it is no token to
// whoever forgets to look at the type.
const sealType = "gatehouse-audit-seal+jws"

// Seal says that a tenant's log had this head. A Day is there where it is the head that a day ended with (in UTC).
type Seal struct {
	Tenant id.Tenant `json:"tenant_id"`
	Day    string    `json:"day,omitempty"`
	Seq    int64     `json:"seq"`
	Hash   Hash      `json:"hash"`
	Sealed time.Time `json:"sealed_at"`
}

// sign makes the JWS (RFC 7515 section 7.1) of a seal with the tenant's own key, which stays in custody. This file signs
// seals and nothing else.
func (l *Log) sign(ctx context.Context, t tenancy.Tenant, s Seal) (string, error) {
	keys, err := l.Keyring.Of(ctx, t)
	if err != nil {
		return "", err
	}
	key, err := keys.Signer()
	if err != nil {
		return "", err
	}
	input, err := tenancy.StatementInput(key, sealType, s)
	if err != nil {
		return "", err
	}
	signature, err := l.Signer.Sign(ctx, t.ID, key.SigningKey, []byte(input))
	if err != nil {
		return "", tenancy.KeysError(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

var errSeal = errors.New("is not a seal")

// openSeal is the reverse: a seal if it was signed by one of the keys, with that key's one algorithm.
func openSeal(jws string, keys map[string]tenancy.VerificationKey) (s Seal, kid string, err error) {
	kid, err = tenancy.OpenStatement(jws, sealType, keys, &s)
	if errors.Is(err, tenancy.ErrOtherStatement) {
		err = errSeal
	}
	return s, kid, err
}

// decodeStrictly takes the members that are known and no others.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errSeal
	}
	return nil
}
