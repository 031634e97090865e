package custody

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Vault is the custodian whose keys are in Vault's transit engine: gatehouse-<tenant>-sealing, and for each signing key
// one of its own (see signingName). It is a Custodian and a Keymaster; what it may really do is decided by the policy its
// login has.
type Vault struct {
	config VaultConfig
	client client
}

// OpenVault begins to log in and returns: the configuration is checked, that Vault is there is not, because a replica
// must come up while Vault is sealed and serve as soon as it is not. Ready tells.
func OpenVault(config VaultConfig) (*Vault, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	transport, err := config.transport()
	if err != nil {
		return nil, err
	}
	renewing, err := config.newAPI(transport)
	if err != nil {
		return nil, fmt.Errorf("custody: Vault: %w", err)
	}
	entering, err := config.newAPI(transport)
	if err != nil {
		return nil, fmt.Errorf("custody: Vault: %w", err)
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // with our token? No.
	return &Vault{config, client{
		base:      config.Address + "/v1/",
		namespace: config.Namespace,
		http:      &http.Client{Transport: transport, CheckRedirect: noRedirect},
		session:   newSession(renewing, config.Login.method(entering), config.Log),
	}}, nil
}

// Close ends the renewing of the login. The token is left to expire.
func (v *Vault) Close() error {
	v.client.session.close()
	v.client.http.CloseIdleConnections()
	return nil
}

// signingName is Vault's name of a tenant's signing key: gatehouse-<tenant>-signing, -signing-2, -signing-3. Each is a key of
// one version, because in Vault the algorithm is the key's and not the version's.
func signingName(t id.Tenant, version int) string {
	if version == 1 {
		return "gatehouse-" + t.Hex() + "-signing"
	}
	return "gatehouse-" + t.Hex() + "-signing-" + strconv.Itoa(version)
}

func sealingName(t id.Tenant) string { return "gatehouse-" + t.Hex() + "-sealing" }

func (v *Vault) use(ctx context.Context, operation, key string, in, out any) error {
	return v.client.call(ctx, v.config.Timeout, http.MethodPost, v.config.Mount+"/"+operation+"/"+key, in, out)
}

// Sign is Custodian's. Vault hashes: a prehashed input is refused by Ed25519 and would be a way to sign unseen bytes.
func (v *Vault) Sign(ctx context.Context, t id.Tenant, k SigningKey, input []byte) ([]byte, error) {
	if k.Version < 1 {
		return nil, ErrNoKey
	}
	in := struct {
		Input      []byte `json:"input"` // base64, as encoding/json writes bytes
		Version    int    `json:"key_version"`
		Marshaling string `json:"marshaling_algorithm"` // R || S, and base64url; the default is ASN.1
		Signature  string `json:"signature_algorithm,omitempty"`
	}{Input: input, Version: 1, Marshaling: "jws"}
	if k.Algorithm == RS256 {
		in.Signature = "pkcs1v15" // the default is PSS, which is PS256
	}
	var out struct {
		Data struct {
			Signature string `json:"signature"`
		} `json:"data"`
	}
	if err := v.use(ctx, "sign", signingName(t, k.Version), in, &out); err != nil {
		return nil, err
	}
	signature, _, err := unwrap(out.Data.Signature, base64.RawURLEncoding)
	return signature, err
}

// HMAC is Custodian's.
func (v *Vault) HMAC(ctx context.Context, t id.Tenant, version int, input []byte) ([]byte, int, error) {
	if version < 0 {
		return nil, 0, ErrNoKey
	}
	in := struct {
		Input   []byte `json:"input"`
		Version int    `json:"key_version,omitempty"`
	}{input, version}
	if input == nil {
		in.Input = []byte{} // null is not an empty input
	}
	var out struct {
		Data struct {
			HMAC string `json:"hmac"`
		} `json:"data"`
	}
	if err := v.use(ctx, "hmac", sealingName(t), in, &out); err != nil {
		return nil, 0, err
	}
	return unwrap(out.Data.HMAC, base64.StdEncoding)
}

// unwrap takes Vault's "vault:v3:..." apart.
func unwrap(s string, encoding *base64.Encoding) (value []byte, version int, err error) {
	rest, isVault := strings.CutPrefix(s, "vault:v")
	number, text, isWhole := strings.Cut(rest, ":")
	version, badNumber := strconv.Atoi(number)
	value, badText := encoding.DecodeString(text)
	if !isVault || !isWhole || badNumber != nil || badText != nil || len(value) == 0 {
		return nil, 0, errors.New("custody: Vault's answer is not in its own format")
	}
	return value, version, nil
}

type sealedBox struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Associated []byte `json:"associated_data,omitempty"`
}

// Seal is Custodian's. Encrypting with a key that is not there would make it, if the policy let us create: Vault then
// answers 403. So a denial is checked against another operation, which knows a missing key when it sees one.
func (v *Vault) Seal(ctx context.Context, t id.Tenant, plaintext, associated []byte) (string, error) {
	in := struct {
		Plaintext  []byte `json:"plaintext"`
		Associated []byte `json:"associated_data,omitempty"`
	}{append([]byte{}, plaintext...), associated}
	var out struct {
		Data sealedBox `json:"data"`
	}
	err := v.use(ctx, "encrypt", sealingName(t), in, &out)
	if errors.Is(err, ErrDenied) {
		if _, _, probe := v.HMAC(ctx, t, 0, nil); errors.Is(probe, ErrNoKey) {
			return "", probe
		}
	}
	return out.Data.Ciphertext, err
}

// Open is Custodian's.
func (v *Vault) Open(ctx context.Context, t id.Tenant, sealed string, associated []byte) ([]byte, error) {
	if strings.HasPrefix(sealed, "vault:v0:") { // which Vault takes for version 1: two texts for one value
		return nil, fmt.Errorf("%w: version 0", ErrTampered)
	}
	var out struct {
		Data sealedBox `json:"data"`
	}
	err := v.use(ctx, "decrypt", sealingName(t), sealedBox{Ciphertext: sealed, Associated: associated}, &out)
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusBadRequest && !strings.Contains(r.text, "key not found") {
		return nil, fmt.Errorf("%w: %v", ErrTampered, err)
	}
	if err != nil {
		return nil, err
	}
	return out.Data.Plaintext, nil
}

// Ready is Custodian's. Looking at our own token needs an unsealed Vault and a login that still holds.
func (v *Vault) Ready(ctx context.Context) error {
	return v.client.call(ctx, v.config.Timeout, http.MethodGet, "auth/token/lookup-self", nil, nil)
}

var (
	_ Custodian = (*Vault)(nil)
	_ Keymaster = (*Vault)(nil)
)
