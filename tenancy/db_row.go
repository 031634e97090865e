package tenancy

import (
	"errors"

	"github.com/jackc/pgx/v5"
)

// OrNone makes it no error that there was no row, as in `return OrNone(row.Scan(&x))`, which then leaves x as it is.
func OrNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// Found is OrNone for whoever has to know whether there was a row.
func Found(err error, found *bool) error {
	*found = err == nil
	return OrNone(err)
}
