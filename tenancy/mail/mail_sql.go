package mail

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const insertMail = `insert into mails (id, kind, user_id, address, data, created_at) values ($1, $2, $3, $4, $5, $6)`

const insertMailIf = `insert into mails (id, kind, user_id, address, data, created_at) select $1, $2, $3, $4, $5, $6 where $7`

// lockMail is nil where the mail is gone. The lock is for the one case that two have the same job: a replica that was
// taken for dead and is not.
func lockMail(ctx context.Context, tx tenancy.Tx, m uuid.UUID) (*Mail, error) {
	found, data, user := Mail{ID: m}, "", (*id.User)(nil)
	err := tx.QueryRow(ctx, `select kind, user_id, address, data, created_at, queued_at from mails where id = $1 for update`, [16]byte(m)).
		Scan(&found.Kind, &user, &found.Address, &data, &found.At, &found.Queued)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), &found.Data)
	}
	if user != nil {
		found.User = *user
	}
	return &found, err
}

// deleteMail reports whether the row was there: of two who drop a mail, one tells of it.
func deleteMail(ctx context.Context, tx tenancy.Tx, m uuid.UUID) (was bool, err error) {
	tag, err := tx.Exec(ctx, `delete from mails where id = $1`, [16]byte(m))
	return tag.RowsAffected() == 1, err
}
