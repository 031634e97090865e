package settings

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// read lays what is stored over what into holds already, so that a member added by a newer version has its default.
func read(b *tenancy.Batch, into *Settings) {
	b.Queue(`select document from settings`).QueryRow(func(row pgx.Row) error { return scan(row, into) })
}

func scan(row pgx.Row, into *Settings) error {
	var text string
	err := row.Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// lock reads the settings for a change, so that what a change is said to have changed is what it did, and what it leaves
// as it is stays so. Where there are none yet, empty ones are put there to be locked: of the first two who change settings
// at once, the second would not see what the first has written.
func lock(ctx context.Context, tx tenancy.Tx) (Settings, error) {
	found := Default()
	if _, err := tx.Exec(ctx, `insert into settings (one, document) values (true, '{}') on conflict (one) do nothing`); err != nil {
		return found, err
	}
	return found, scan(tx.QueryRow(ctx, `select document from settings for update`), &found)
}

func write(ctx context.Context, tx tenancy.Tx, s Settings) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into settings (one, document) values (true, $1) on conflict (one) do update set document = excluded.document`, string(text))
	return err
}
