package transfer

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// ExportLine is a user as Import takes one.
type ExportLine struct {
	Email         identity.Email `json:"email"`
	Name          string         `json:"name"`
	EmailVerified bool           `json:"email_verified"`
	PasswordHash  string         `json:"password_hash,omitempty"`
}

// exported is a row of an export.
type exported struct {
	id   id.User
	line ExportLine
	hash password.Hash
}

// exportPage is how many users are read at a time.
const exportPage = 500

// Export gives out every user in the order they were made; with hashes also those password hashes that other systems made
// and that others can verify again. Ours have a key that never leaves custody and are worth nothing anywhere else: of how
// many users they were left out is kept.
func (s *Transfers) Export(ctx context.Context, t tenancy.Tenant, hashes bool, out func(ExportLine) error) (kept int, err error) {
	var after id.User
	for {
		var page []exported
		if err := s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { exportUsers(b, after, exportPage, &page) }); err != nil {
			return kept, err
		}
		for _, u := range page {
			after = u.id
			switch {
			case !hashes || u.hash == "":
			case !u.hash.Sealed():
				kept++
			default:
				h, err := s.Imported.open(ctx, t, u.id, u.hash)
				if err != nil {
					return kept, err
				}
				u.line.PasswordHash = h.Text()
			}
			if err := out(u.line); err != nil {
				return kept, err
			}
		}
		if len(page) < exportPage {
			return kept, nil
		}
	}
}
