package tenancy

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// TestWhatWaitsForADatabaseThatIsAwayKeepsNoOtherWaiting: in front of the one tenant that can be seen to, there are more of a
// database that is away than are looked at in a round.
func TestWhatWaitsForADatabaseThatIsAwayKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	in, server := tenancytest.OwnDatabase(t)
	place := Placement{NewProvisioningDB(provisioningPool(t, in.ProvisionerURL, 2), openPool(t, in.RuntimeURL, 2).User()), 1000}
	provision := p.withPlacements(t, 1000, map[string]Placement{"other": place})
	check(t, server.Stop())

	left, gone, moving := p.tenant(t), p.tenant(t), p.tenant(t)
	p.do(t, `insert into control.tenants select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'slug', 'stuck-' || n, 'database', 'other',
		'state', 'provisioning', 'blueprint', 'x', 'is_master', false, 'created_at', now() - interval '1 hour'))).*
		from control.tenants t, generate_series(1, 101) n where id = $1`, left.ID)
	p.do(t, `insert into control.tenant_moves (tenant_id, id, source, target, state, begun_at)
		select id, gen_random_uuid(), 'other', 'third', 'copying', created_at from control.tenants where database = 'other'`)
	p.do(t, `insert into control.tenant_moves (tenant_id, id, source, target, state) values ($1, $2, $3, 'third', 'copying')`, moving.ID, uuid.New(), testDatabase)
	p.do(t, `insert into control.key_requests (id, tenant_id, kind, asked_by, asked_at)
		select gen_random_uuid(), id, 'rotate', 'operator', created_at from control.tenants where database = 'other' or id = $1`, moving.ID)
	p.do(t, `insert into control.deletions (tenant_id, slug, region, database, domains, created_at, deleted_at)
		select gen_random_uuid(), 'gone-' || n, 'here', 'other', '{}', now(), now() - interval '1 hour' from generate_series(1, 101) n`)

	moves, err := provision.readMoves(t.Context())
	check(t, err)
	var asked []keyRequest
	check(t, p.db.inDirectory(t.Context(), func(ctx context.Context, tx directoryTx) (err error) {
		asked, err = leftKeyRequests(ctx, tx, time.Now().Add(time.Hour), keyBatch)
		return err
	}))
	if found := moves[:2]; found[0].tenant != moving.ID && found[1].tenant != moving.ID {
		t.Error("a move is not looked at")
	}
	if found := asked[:2]; found[0].tenant != moving.ID && found[1].tenant != moving.ID {
		t.Error("a request for a key is not looked at")
	}

	crash := provision.ProvisionerOptions
	crash.afterStep = func(string) error { return errors.New("crash") }
	if _, err := NewProvisioner(crash).Delete(t.Context(), Actor{Type: ByOperator}, gone.ID); err == nil {
		t.Fatal("nothing crashed")
	}
	half := wanted()
	half.Database = testDatabase
	if _, err := NewProvisioner(crash).Create(t.Context(), half); err == nil {
		t.Fatal("nothing crashed")
	}
	if err := provision.DestroyAll(t.Context(), 0); err == nil {
		t.Error("nothing is said of the deletions that wait")
	}
	if d, err := provision.Preview(t.Context(), gone.ID); err != nil || d.Receipt == "" {
		t.Errorf("a deletion is not gone on with: %+v, %v", d, err)
	}
	if err := provision.FinishAll(t.Context(), 0); err == nil {
		t.Error("nothing is said of the tenants that wait")
	}
	if _, err := p.directory.BySlug(t.Context(), half.Slug); err != nil {
		t.Errorf("a half made tenant is not finished: %v", err)
	}
}
