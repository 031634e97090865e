package tenancy

import (
	"context"
	"errors"
	"strings"
)

// discarding begins the mark of an import that is taken back. From then on it can be gone on with by nobody: its keys may be
// destroyed, and a schema that is filled may be sealed with them.
const discarding = "discarding "

// ErrDiscarded refuses to go on with an import that is being taken back.
var ErrDiscarded = errors.New("is of a tenant whose import is being taken back: end that with --discard, and begin again")

// Discard takes back what an import has left that is not wanted any more. An import that is under way comes to nothing: it is
// refused at its next step. Keys that were made for it are destroyed, keys that were here before are not. Whoever was interrupted
// says the same again. Errors: ErrUnknown where there is none.
func (b *Bundles) Discard(ctx context.Context, s Slug) error {
	p := b.Provisioner
	t, database, mark, err := b.beginDiscard(ctx, s)
	if err != nil {
		return err
	}
	if err := p.step("mark"); err != nil {
		return err
	}
	if err := p.drop(ctx, t, database); err != nil { // waits for one who fills it
		return err
	}
	if err := p.step("drop"); err != nil {
		return err
	}
	if strings.HasSuffix(mark, newKeys) {
		if err := p.Keys.Destroy(ctx, t); err != nil {
			return KeysError(err)
		}
	}
	if err := p.step("destroy"); err != nil {
		return err
	}
	return p.unreserve(ctx, t)
}
