package mfa

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	backupCodes   = 10
	backupCodeLen = 13 // characters of base32: 65 bits
)

// backupSet is ten codes and how they are hashed: under a key that custody makes for the set, so that a stolen database
// cannot be searched for them, and one call to custody serves all ten.
type backupSet struct {
	id     uuid.UUID
	codes  []string // shown once
	hashes [][]byte
}

func (f *Factors) newBackupSet(ctx context.Context, t tenancy.Tenant, u id.User) (backupSet, error) {
	s := backupSet{id: uuid.New()}
	key, err := f.backupKey(ctx, t, u, s.id)
	if err != nil {
		return backupSet{}, err
	}
	for range backupCodes {
		raw := make([]byte, 9)
		_, _ = rand.Read(raw)
		code := base32.StdEncoding.EncodeToString(raw)[:backupCodeLen]
		s.codes = append(s.codes, code[:4]+"-"+code[4:8]+"-"+code[8:])
		s.hashes = append(s.hashes, hashCode(key, code))
	}
	return s, nil
}

// backupKey is the key of a set: an HMAC in custody, always under the first version so that a code stays good when the
// key is rotated.
func (f *Factors) backupKey(ctx context.Context, t tenancy.Tenant, u id.User, set uuid.UUID) ([]byte, error) {
	key, _, err := f.Keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/backup-codes/1\x00"+t.ID.String()+u.String()+set.String()))
	return key, tenancy.KeysError(err)
}

func hashCode(key []byte, code string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(code))
	return m.Sum(nil)
}

// normalCode is a backup code as it was made, however it was typed.
func normalCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}
