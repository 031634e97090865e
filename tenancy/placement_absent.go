package tenancy

import (
	"context"
	"errors"
)

// absences are the databases that a walk over what was left undone found away, each with the error that it is told of once. With
// every tenant of such a database, a walk would be longer than those of the others can wait.
type absences map[string]error

// over reports whether what lives in a database is to be passed over. What to say of one that is not configured is left to the
// step that needs it.
func (a absences) over(ctx context.Context, p *Provisioner, database string) bool {
	place, ok := p.Placements[database]
	if !ok {
		return false
	}
	err := place.answers(ctx)
	if err != nil {
		a[database] = err
	}
	return err != nil
}

// with is the error of the whole walk.
func (a absences) with(failed []error) error {
	for _, err := range a {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
