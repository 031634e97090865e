package mfa

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
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

// backupCode proves a challenge with a backup code; see Code.
func (d *Desk) backupCode(ctx context.Context, t tenancy.Tenant, challenge, code string, from identity.Client) (Paid, error) {
	var set uuid.UUID
	a, err := d.try(ctx, t, challenge, settings.Methods, func(b *tenancy.Batch, hash []byte) { readBackupSet(b, hash, &set) }, purposeLogin, purposeStepUp)
	if err != nil {
		return Paid{}, err
	}
	left := 0
	key, err := d.backupKey(ctx, t, a.proof.User, set)
	if err == nil {
		left, err = d.spendBackupCode(ctx, t, a, hashCode(key, normalCode(code)))
	}
	if err != nil {
		return Paid{}, d.notProved(ctx, t, a, backupMethod, err)
	}
	o, err := d.finish(ctx, t, a, from, "otp", "mfa")
	return Paid{o, &left}, err
}

// spendBackupCode accepts a code once, and tells its user of it and how many are left. The user's row is locked, so that of
// two codes used at once one is told one less than the other.
func (d *Desk) spendBackupCode(ctx context.Context, t tenancy.Tenant, a attempt, hash []byte) (left int, err error) {
	err = d.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		owner, err := identity.LockUser(ctx, tx, a.proof.User)
		if problem.Is(err, "not_found") {
			return refuse(reasonCode, nil)
		}
		if err != nil {
			return err
		}
		spent, err := deleteBackupCode(ctx, tx, owner.ID, hash)
		if err != nil {
			return err
		}
		if !spent {
			return refuse(reasonCode, nil)
		}
		if err := deleteChallenge(ctx, tx, a.hash); err != nil {
			return err
		}
		if left, err = remainingBackupCodes(ctx, tx, owner.ID); err != nil {
			return err
		}
		return d.tell(ctx, tx, owner, letter.BackupCodeUsed, remaining(left), d.event("backup_code.used", byUser(owner.ID), owner.ID).With("remaining", left).With("purpose", a.purpose))
	})
	return left, err
}
