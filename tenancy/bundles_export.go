package tenancy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// sealedValue is one of a SealedColumn.
type sealedValue struct {
	row    uuid.UUID
	user   id.User
	sealed string
	plain  []byte
}

// openers is how many values are opened or sealed at once: a call to custody is mostly waiting.
const openers = 8

// Export writes a tenant into a bundle, as it is at one moment, while it is used. What goes into to are personal data and opened
// secrets: it must seal them. It returns what was signed, and the thumbprint of the key that has signed it.
//
// The export stands in the logs before anything leaves. Errors: 409 platform_protected; ErrMoving; 503.
func (b *Bundles) Export(ctx context.Context, by Actor, t Tenant, to io.Writer) (m bundle.Manifest, kid string, err error) {
	if t.Master {
		return m, "", problem.New(problem.KindConflict, "platform_protected", "The platform tenant is this installation's own and cannot leave it.")
	}
	m = bundle.Manifest{Format: bundle.Format, ID: uuid.Must(uuid.NewV7()), ExportedAt: microseconds(b.Provisioner.Now()), Issuer: b.Address.Issuer(t),
		Frozen: t.State == Suspended, Tenant: bundle.Tenant{ID: t.ID, Slug: string(t.Slug), Name: t.Name, Locale: t.Locale,
			SigningAlgorithm: string(t.SigningAlgorithm), OwnerEmail: t.OwnerEmail, OwnerName: t.OwnerName, OwnerID: t.OwnerID,
			PrimaryDomain: string(t.PrimaryDomain), CreatedAt: microseconds(t.CreatedAt)}}
	if m.Custody, err = b.custodyProof(ctx, t.ID, m.ID); err != nil {
		return m, "", KeysError(err)
	}
	if m.Keys, err = b.Keyring.History(ctx, t); err != nil {
		return m, "", err
	}
	if m.Domains, err = b.claims(ctx, t.ID); err != nil {
		return m, "", err
	}
	if err := b.tell(ctx, "tenant.exported", by, t, m.ID); err != nil {
		return m, "", err
	}
	w, err := bundle.NewWriter(to)
	if err != nil {
		return m, "", err
	}
	sealed, err := b.sendRows(ctx, t, &m, w)
	if err != nil {
		return m, "", err
	}
	room := maxOpened
	for i, of := range b.Belongings {
		if err := sendOpened(ctx, t, of, sealed[i], w, &room); err != nil {
			return m, "", err
		}
	}
	m.Parts = w.Parts()
	jws, kid, err := b.sign(ctx, t, m)
	if err == nil && !slices.ContainsFunc(m.Keys, func(jwk json.RawMessage) bool {
		named, _, _, err := custody.ParseJWK(jwk)
		return err == nil && named == kid
	}) {
		err = errors.New("its signing key was changed meanwhile: export it again") // and nobody could verify this one
	}
	if err != nil {
		return m, "", err
	}
	return m, kid, w.Close(jws)
}

// sendRows writes all tables as of one moment. What is sealed is read at the same moment, to be opened when the transaction is over.
func (b *Bundles) sendRows(ctx context.Context, t Tenant, m *bundle.Manifest, w *bundle.Writer) (sealed [][]sealedValue, err error) {
	err = b.Provisioner.atOneMoment(ctx, t, func(ctx context.Context, s snapshot) error {
		if m.SchemaVersion, m.Newest, err = s.versions(ctx); err != nil {
			return err
		}
		if m.SchemaVersion != migrations.LatestTenant {
			return fmt.Errorf("its schema is at version %d and not at this release's, %d: run gatehouse migrate first", m.SchemaVersion, migrations.LatestTenant)
		}
		for _, of := range b.Belongings {
			values, err := s.sealedIn(ctx, of.Column())
			if err != nil {
				return err
			}
			sealed = append(sealed, values)
		}
		return s.send(ctx, w)
	})
	return sealed, err
}

// sendOpened writes what a column holds sealed.
func sendOpened(ctx context.Context, t Tenant, of Belonging, values []sealedValue, w *bundle.Writer, room *int) error {
	if err := eachOf(ctx, values, func(ctx context.Context, v *sealedValue) (err error) {
		if v.plain, err = of.Open(ctx, t, v.user, v.sealed); err != nil {
			err = fmt.Errorf("what is sealed in %s of %s cannot be opened: %w", of.Column().Table, v.row, err)
		}
		return err
	}); err != nil {
		return err
	}
	for _, v := range values {
		*room -= len(v.row.String()) + len(v.plain)
	}
	if *room < 0 { // nobody could take it in
		return fmt.Errorf("it holds more than %d MB of secrets that were sealed, which no bundle carries", maxOpened>>20)
	}
	return w.Part(bundle.Header{Name: of.Column().part(), Columns: []string{"id", "value"}}, func(w io.Writer) error {
		for _, v := range values {
			if _, err := io.WriteString(w, v.row.String()+"\t"+base64.StdEncoding.EncodeToString(v.plain)+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachOf does something to each value, several at a time.
func eachOf(ctx context.Context, values []sealedValue, do func(context.Context, *sealedValue) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(openers)
	for i := range values {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return do(ctx, &values[i]) })
	}
	return g.Wait()
}

// sign makes the manifest a statement of the tenant's key. This file signs nothing else.
func (b *Bundles) sign(ctx context.Context, t Tenant, m bundle.Manifest) (jws, kid string, err error) {
	keys, err := b.Keyring.Of(ctx, t)
	if err != nil {
		return "", "", err
	}
	key, err := keys.Signer()
	if err != nil {
		return "", "", err
	}
	input, err := StatementInput(key, bundleType, m)
	if err != nil {
		return "", "", err
	}
	signature, err := b.Custodian.Sign(ctx, t.ID, key.SigningKey, []byte(input))
	if err != nil {
		return "", "", KeysError(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), key.KID, nil
}

// tell puts what was done with a bundle into the logs.
func (b *Bundles) tell(ctx context.Context, did Action, by Actor, t Tenant, of uuid.UUID) error {
	p := b.Provisioner
	told := p.Outbox.bundle()
	err := p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		e := Event{Action: did, Actor: by, ResourceType: "tenant", ResourceID: t.ID.String(), At: p.Now()}
		return tell(ctx, tx, told, t, e.With("bundle", of.String()))
	})
	if err == nil {
		told.deliver(ctx)
	}
	return err
}
