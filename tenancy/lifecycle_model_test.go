package tenancy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// modelTenant is what a tenant's life comes to, without databases, keys and replicas.
type modelTenant struct {
	id     id.Tenant
	slug   Slug
	state  State
	before State  // of one that is to be deleted
	had    []Slug // all it ever had, the present one too: nobody else gets them
}

func (m *modelTenant) served() bool { return m.state == Active || m.state == Suspended }

// lives is one sequence of operations, on a model and on two replicas.
type lives struct {
	*testing.T

	p        *platform // the first replica
	replicas []*platform
	master   Tenant
	rand     *rand.Rand
	slugs    []Slug
	tenants  []*modelTenant
}

func (l *lives) holder(s Slug) *modelTenant {
	for _, m := range l.tenants {
		if slices.Contains(m.had, s) {
			return m
		}
	}
	return nil
}

// TestLivesOfTenants plays random sequences of what can be done to tenants, by either of two replicas, by both at once, or
// with a crash in between that the other one makes good. Every answer is held against a model, and after each operation
// what both replicas say of every id, slug and host. In the end nothing may be left of who is gone, and nothing missing of who
// is not. LIVES is how many sequences, SEED where they begin.
func TestLivesOfTenants(t *testing.T) {
	t.Parallel()
	number := func(name string, or int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return or
	}
	first := number("SEED", int(time.Now().UnixNano()%1_000_000))
	for i := range number("LIVES", 2) {
		t.Run(fmt.Sprintf("SEED=%d", first+i), func(t *testing.T) {
			t.Parallel()
			live(t, uint64(first+i), 40)
		})
	}
}

func live(t *testing.T, seed uint64, length int) {
	t.Helper()
	p, master := withPlatform(t)
	other := assemble(t, p.Installation)
	other.clock = p.clock
	other.options.Now = p.clock.now
	other.options.Receipts = &Receipts{Directory: other.directory, Keyring: NewKeyring(other.db, p.clock.now), Signer: other.runtime}
	l := &lives{T: t, p: p, replicas: []*platform{p, other}, master: master, rand: rand.New(rand.NewPCG(seed, 0))}
	for _, r := range l.replicas {
		listen(t, r.directory)
	}
	for range 10 {
		l.slugs = append(l.slugs, newSlug())
	}
	ops := []func() string{l.create, l.create, l.rename, l.rename, l.suspend, l.deleteLater, l.restore, l.delete, l.timePasses, l.crashInCreate, l.crashInDelete, l.sweep}
	for range length {
		what := ops[l.rand.IntN(len(ops))]()
		l.compare(what)
		if t.Failed() {
			return
		}
	}
	l.sweep()
	l.settle()
}

func (l *lives) slug() Slug { return l.slugs[l.rand.IntN(len(l.slugs))] }

func (l *lives) any() *modelTenant {
	if len(l.tenants) == 0 {
		return nil
	}
	return l.tenants[l.rand.IntN(len(l.tenants))]
}

// by does something at one replica, or at both at once, and holds each answer against the one foreseen.
func (l *lives) by(what, want string, do func(*Provisioner) error) {
	l.Helper()
	n := 1 + l.rand.IntN(2)
	offset := l.rand.IntN(2)
	inParallel(l.T, n, func(i int) error {
		err := do(NewProvisioner(l.replicas[(i+offset)%2].options))
		if got := lifeCode(err); got != want {
			return fmt.Errorf("%s is answered %s (%w), want %s", what, got, err, want)
		}
		return nil
	})
}

func lifeCode(err error) string {
	switch {
	case errors.Is(err, ErrUnknown):
		return "unknown"
	case errors.Is(err, errCrash):
		return "crash"
	}
	return codeOf(err)
}

func (l *lives) create() string {
	s, free := l.slug(), true
	if l.holder(s) != nil {
		free = false
	}
	w := owned()
	w.Slug = s
	what := fmt.Sprintf("create %s", s)
	if !free {
		l.by(what, "slug_taken", func(p *Provisioner) error { _, err := p.Create(l.Context(), w); return err })
		return what
	}
	c, err := NewProvisioner(l.replicas[l.rand.IntN(2)].options).Create(l.Context(), w)
	check(l, err)
	l.tenants = append(l.tenants, &modelTenant{id: c.Tenant.ID, slug: s, state: Active, had: []Slug{s}})
	return what
}

func (l *lives) crashInCreate() string {
	s := l.slug()
	step := []string{"reserve", "keys", "schema"}[l.rand.IntN(3)]
	what := fmt.Sprintf("create %s and crash after %s", s, step)
	if l.holder(s) != nil {
		return what
	}
	w := owned()
	w.Slug = s
	_, err := l.replicas[l.rand.IntN(2)].crashing(step).Create(l.Context(), w)
	if lifeCode(err) != "crash" {
		l.Errorf("%s: %v", what, err)
		return what
	}
	made := ask[id.Tenant](l, l.p, "select id from control.tenants where slug = $1", s)
	l.tenants = append(l.tenants, &modelTenant{id: made, slug: s, state: Provisioning, had: []Slug{s}})
	return what
}

// changed is what the model answers to a change of a tenant.
func (m *modelTenant) changed() string {
	switch m.state {
	case Deleted, Provisioning:
		return "unknown"
	case Deleting:
		return "tenant_deleting"
	}
	return "ok"
}

func (l *lives) rename() string {
	m, s := l.any(), l.slug()
	if m == nil {
		return "nothing"
	}
	what, want := fmt.Sprintf("rename %s to %s", m.slug, s), m.changed()
	if h := l.holder(s); want == "ok" && h != nil && h != m {
		want = "slug_taken"
	}
	l.by(what, want, func(p *Provisioner) error { return p.Update(l.Context(), m.id, Change{Slug: &s}) })
	if want == "ok" {
		m.slug = s
		if !slices.Contains(m.had, s) {
			m.had = append(m.had, s)
		}
	}
	return what
}

func (l *lives) suspend() string {
	m, suspended := l.any(), l.rand.IntN(2) == 0
	if m == nil {
		return "nothing"
	}
	what, want := fmt.Sprintf("suspend %s: %v", m.slug, suspended), m.changed()
	l.by(what, want, func(p *Provisioner) error { return p.Update(l.Context(), m.id, Change{Suspended: &suspended}) })
	if want == "ok" {
		m.state = Active
		if suspended {
			m.state = Suspended
		}
	}
	return what
}

func (l *lives) deleteLater() string {
	m := l.any()
	if m == nil {
		return "nothing"
	}
	what, want := fmt.Sprintf("delete %s in an hour", m.slug), "ok"
	if m.state == Provisioning {
		want = "unknown"
	}
	l.by(what, want, func(p *Provisioner) error {
		_, err := p.DeleteLater(l.Context(), byNobody, m.id, time.Hour)
		return err
	})
	if m.served() {
		m.before, m.state = m.state, Deleting
	}
	return what
}

func (l *lives) restore() string {
	m := l.any()
	if m == nil {
		return "nothing"
	}
	what, want := "restore "+string(m.slug), "ok"
	if m.state == Provisioning || m.state == Deleted {
		want = "unknown"
	}
	l.by(what, want, func(p *Provisioner) error { return p.Restore(l.Context(), byNobody, m.id) })
	if m.state == Deleting {
		m.state = m.before
	}
	return what
}

func (l *lives) delete() string {
	m := l.any()
	if m == nil {
		return "nothing"
	}
	what, want := "delete "+string(m.slug), "ok"
	if m.state == Provisioning {
		want = "unknown"
	}
	l.by(what, want, func(p *Provisioner) error { _, err := p.Delete(l.Context(), byNobody, m.id); return err })
	if want == "ok" {
		m.state = Deleted
	}
	return what
}

func (l *lives) crashInDelete() string {
	m := l.any()
	if m == nil || m.state == Provisioning || m.state == Deleted {
		return "nothing"
	}
	step := deletionSteps[l.rand.IntN(len(deletionSteps))]
	what := fmt.Sprintf("delete %s and crash after %s", m.slug, step)
	if _, err := l.replicas[l.rand.IntN(2)].crashing(step).Delete(l.Context(), byNobody, m.id); lifeCode(err) != "crash" {
		l.Errorf("%s: %v", what, err)
	}
	m.state = Deleted
	return what
}

func (l *lives) timePasses() string {
	l.p.clock.advance(time.Hour + time.Second)
	l.by("the end of grace", "ok", func(p *Provisioner) error { return p.DestroyAll(l.Context(), Abandoned) })
	for _, m := range l.tenants {
		if m.state == Deleting {
			m.state = Deleted
		}
	}
	return "an hour passes"
}

// sweep makes good what crashes left.
func (l *lives) sweep() string {
	l.by("finishing", "ok", func(p *Provisioner) error {
		return errors.Join(p.FinishAll(l.Context(), 0), p.DestroyAll(l.Context(), 0))
	})
	for _, m := range l.tenants {
		if m.state == Provisioning {
			m.state = Active
		}
	}
	return "crashes are made good"
}

// compare asks both replicas for every id, slug and host.
func (l *lives) compare(after string) {
	l.Helper()
	for i, r := range l.replicas {
		var wrong string
		for deadline := time.Now().Add(promised); ; time.Sleep(time.Millisecond) {
			if wrong = l.differs(r.directory); wrong == "" || time.Now().After(deadline) {
				break
			}
		}
		if wrong != "" {
			l.Errorf("after %s, replica %d: %s", after, i+1, wrong)
		}
	}
}

func (l *lives) differs(d *Directory) string {
	ctx := context.WithoutCancel(l.Context())
	expect := func(how string, m *modelTenant, got Tenant, err error) string {
		switch {
		case m == nil && !errors.Is(err, ErrUnknown):
			return fmt.Sprintf("%s leads to %s, %v, and should lead nowhere", how, got.ID, err)
		case m != nil && (err != nil || got.ID != m.id || got.State != m.state || got.Slug != m.slug):
			return fmt.Sprintf("%s leads to %s %s %s, %v, want %s %s %s", how, got.ID, got.Slug, got.State, err, m.id, m.slug, m.state)
		}
		return ""
	}
	for _, m := range l.tenants {
		want := m
		if !m.served() {
			want = nil
		}
		got, err := d.ByID(ctx, m.id)
		if wrong := expect("the id of "+string(m.slug), want, got, err); wrong != "" {
			return wrong
		}
	}
	for _, s := range l.slugs {
		var bySlug, byHost *modelTenant
		if h := l.holder(s); h != nil && h.served() {
			byHost = h // its domain stays with it
			if h.slug == s {
				bySlug = h
			}
		}
		got, err := d.BySlug(ctx, s)
		if wrong := expect("slug "+string(s), bySlug, got, err); wrong != "" {
			return wrong
		}
		got, err = d.ByHost(ctx, Host(s)+".tenants.example")
		if wrong := expect("host of "+string(s), byHost, got, err); wrong != "" {
			return wrong
		}
	}
	return ""
}

// settle holds what is there in the end against who is there.
func (l *lives) settle() {
	l.Helper()
	wantSchemas, wantParked := []string{namespace(l.master.ID)}, []string{}
	for _, m := range l.tenants {
		for _, s := range m.had {
			if m.state == Deleted || s != m.slug || slices.Contains(m.had[:len(m.had)-1], s) && l.everLeft(s) {
				wantParked = append(wantParked, string(s))
			}
		}
		if m.state != Deleted {
			wantSchemas = append(wantSchemas, namespace(m.id))
			continue
		}
		l.p.extinct(l.T, Tenant{ID: m.id, Slug: m.slug, PrimaryDomain: Host(m.slug) + ".tenants.example"})
		d, err := NewProvisioner(l.replicas[1].options).Delete(l.Context(), byNobody, m.id)
		check(l, err)
		if says := l.p.verified(l.T, l.master, d); says.Tenant != m.id || says.Slug != m.slug {
			l.Errorf("the receipt of %s says %+v", m.slug, says)
		}
	}
	slices.Sort(wantSchemas)
	slices.Sort(wantParked)
	for what, c := range map[string]struct {
		query string
		want  []string
	}{
		"schemas": {`select nspname::text from pg_namespace where nspname ~ '^t_[0-9a-f]{32}$' order by 1`, wantSchemas},
		"roles":   {`select r.rolname::text from pg_roles r join pg_namespace n on n.nspname = r.rolname where r.rolname ~ '^t_[0-9a-f]{32}$' order by 1`, wantSchemas},
		"parked":  {`select slug from control.parked_slugs order by 1`, wantParked},
	} {
		rows, err := l.p.behind(l).Query(l.Context(), c.query)
		check(l, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		check(l, err)
		if !slices.Equal(got, c.want) {
			l.Errorf("%s are %q, want %q", what, got, c.want)
		}
	}
	for _, m := range l.tenants {
		keys, err := l.p.options.Keys.PublicKeys(l.Context(), m.id)
		if gone := errors.Is(err, custody.ErrNoKey); gone != (m.state == Deleted) || !gone && len(keys) != 1 {
			l.Errorf("%s is %s and has %d keys, %v", m.slug, m.state, len(keys), err)
		}
	}
}

// everLeft is whether a slug that is in use was given up in between.
func (l *lives) everLeft(s Slug) bool {
	return ask[int](l, l.p, "select count(*) from control.parked_slugs where slug = $1", s) == 1
}
