package mfa

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const recordColumns = `f.id, f.method_type, f.device_name, f.rp_id, f.credential`

func (k *credential) scan(row pgx.Row, more ...any) error {
	if err := row.Scan(append([]any{&k.factor, &k.method, &k.device, &k.rpID, &k.stored}, more...)...); err != nil {
		return err
	}
	return json.Unmarshal([]byte(k.stored), &k.record)
}

// readCredentials are the user's, newest use first.
func readCredentials(b *tenancy.Batch, u id.User, into *[]credential) {
	b.Queue(`select `+recordColumns+` from factors f where f.user_id = $1 and f.credential_id is not null and f.confirmed_at is not null
		order by coalesce(f.last_used_at, f.created_at) desc, f.id`, u).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k credential, err error) { err = k.scan(row); return k, err })
			return err
		})
}

// readCredentialOfChallenge leaves into as it is where the challenge's user has no such credential.
func readCredentialOfChallenge(b *tenancy.Batch, hash, credentialID []byte, into *credential) {
	b.Queue(`select `+recordColumns+` from factors f where f.credential_id = $2 and f.confirmed_at is not null
		and f.user_id = (select user_id from challenges where id_hash = $1)`, hash, credentialID).
		QueryRow(func(row pgx.Row) error { return tenancy.OrNone(into.scan(row)) })
}

// writeCeremony replaces what a browser was asked for before.
func writeCeremony(b *tenancy.Batch, hash []byte, c ceremony) {
	text, err := json.Marshal(c)
	if err != nil {
		b.Fail(err)
		return
	}
	b.Queue(`update challenges set ceremony = $2 where id_hash = $1`, hash, string(text))
}

// takeRegistration spends a registration, if it is still the one that was answered.
func takeRegistration(ctx context.Context, tx tenancy.Tx, hash []byte, ceremony string) (bool, error) {
	tag, err := tx.Exec(ctx, `delete from challenges where id_hash = $1 and ceremony = $2`, hash, ceremony)
	return tag.RowsAffected() == 1, err
}

func countCredentials(ctx context.Context, tx tenancy.Tx, u id.User) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from factors where user_id = $1 and credential_id is not null`, u).Scan(&n)
	return n, err
}

// insertCredential adds a confirmed credential. Its id is unique in the tenant (section 7.1 step 26); whose it is already
// is not told.
func insertCredential(ctx context.Context, tx tenancy.Tx, u id.User, k credential, now time.Time) error {
	text, err := json.Marshal(k.record)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into factors (id, user_id, method_type, device_name, created_at, confirmed_at, credential_id, credential, rp_id)
		values ($1, $2, $3, $4, $5, $5, $6, $7, $8)`, k.factor, u, k.method, k.device, now, k.record.ID, string(text), k.rpID)
	if tenancy.Violates(err, "factors_credential_id_key") {
		return refuse(reasonRegistered, nil)
	}
	return err
}

// spendCredential accepts an assertion once: the record must be as it was when the assertion was judged by it. Of two
// assertions with the same counter, which a cloned key makes, one finds it changed.
func spendCredential(k credential, used record, now time.Time) (statement, error) {
	text, err := json.Marshal(used)
	return statement{`update factors set credential = $4, last_used_at = $5 where id = $2 and credential = $3`,
		[]any{k.factor, k.stored, string(text), now}}, err
}
