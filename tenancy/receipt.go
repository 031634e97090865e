package tenancy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// receiptType tells a receipt from everything else that the platform's key signs.
const receiptType = "gatehouse-deletion-receipt+jws"

// Receipt says that a tenant was destroyed, what it was, and when. It holds nothing about people.
type Receipt struct {
	Platform        id.Tenant `json:"platform_id"` // whose key has signed it
	Tenant          id.Tenant `json:"tenant_id"`
	Slug            Slug      `json:"slug"`
	CreatedAt       time.Time `json:"created_at"`
	DeletedAt       time.Time `json:"deleted_at"` // nobody could reach it from then on
	KeysDestroyedAt time.Time `json:"keys_destroyed_at"`
	SchemaDroppedAt time.Time `json:"schema_dropped_at"`
	Destroyed       Inventory `json:"destroyed"`
}

// Receipts signs receipts with the platform's key, which stays in custody. This file signs nothing else.
type Receipts struct {
	Directory *Directory
	Keyring   *Keyring
	Signer    custody.Custodian
}

// issue is the receipt of a deletion whose other steps are done, and the platform tenant whose key has signed it.
func (r *Receipts) issue(ctx context.Context, d deletion) (jws string, platform id.Tenant, err error) {
	says := Receipt{Tenant: d.Tenant, Slug: d.Slug, CreatedAt: d.CreatedAt, DeletedAt: d.DeletedAt,
		KeysDestroyedAt: d.KeysDestroyedAt.UTC(), SchemaDroppedAt: d.SchemaDroppedAt.UTC()}
	if err := json.Unmarshal([]byte(d.Inventory), &says.Destroyed); err != nil {
		return "", platform, err
	}
	t, err := r.Directory.Platform(ctx)
	if err != nil {
		return "", platform, err
	}
	says.Platform = t.ID
	keys, err := r.Keyring.Of(ctx, t)
	if err != nil {
		return "", platform, err
	}
	key, err := keys.Signer()
	if err != nil {
		return "", platform, err
	}
	input, err := StatementInput(key, receiptType, says)
	if err != nil {
		return "", platform, err
	}
	signature, err := r.Signer.Sign(ctx, t.ID, key.SigningKey, []byte(input))
	if err != nil {
		return "", platform, KeysError(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), t.ID, nil
}

// VerifyReceipt is what a receipt says, and by which key, if one of these keys has signed it. It needs no platform: whoever
// has the receipt and the platform's public keys can do it anywhere.
func VerifyReceipt(jws string, keys map[string]VerificationKey) (says Receipt, kid string, err error) {
	kid, err = OpenStatement(jws, receiptType, keys, &says)
	if errors.Is(err, ErrOtherStatement) {
		return says, kid, errors.New("this is not the receipt of a deletion")
	}
	if err != nil {
		return Receipt{}, kid, fmt.Errorf("the receipt %w", err)
	}
	return says, kid, nil
}

func digest(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
