package tenancy

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/zonetest"
)

// held is a claim as the model has it.
type held struct {
	Domain
	published, proved bool
	order             int // of its proof
}

// domainModel is what should be true of two tenants' claims to a few names.
type domainModel struct {
	claims  map[[2]int]*held // by tenant and name
	primary [2]Host
	proofs  int
}

func (m *domainModel) holder(name int) int {
	for t := range 2 {
		if c := m.claims[[2]int{t, name}]; c != nil && c.proved {
			return t
		}
	}
	return -1
}

// settle lets the host proved longest be primary where none is.
func (m *domainModel) settle() {
	for t := range 2 {
		var oldest *held
		for k, c := range m.claims {
			if k[0] != t || !c.proved || !slices.Contains(c.Uses, UseHost) {
				continue
			}
			if c.Domain.Domain == m.primary[t] {
				oldest = c
				break
			}
			if oldest == nil || c.order < oldest.order {
				oldest = c
			}
		}
		if m.primary[t] = ""; oldest != nil {
			m.primary[t] = oldest.Domain.Domain
		}
	}
}

// Whatever tenants do with their domains in whatever order, at whichever replica, and whatever DNS says meanwhile: a name has
// one holder, a tenant has a primary domain if and only if it has a proved host, every answer is the model's, and both replicas'
// memories say the same.
func TestDomainsAreAsTheirModelSays(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	replicas := []*Domains{p.domains(z), assemble(t, p.Installation).domains(z)}
	replicas[1].Now = p.clock.now
	memories := []*Directory{p.replica(t), p.replica(t)}
	for _, d := range memories {
		listen(t, d)
	}
	tenants := []Tenant{p.bare(t), p.bare(t)}
	names := []Host{newHost(), newHost(), newHost(), newHost()}
	m := &domainModel{claims: map[[2]int]*held{}}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for step := range 150 {
		who, name, s := r.IntN(2), r.IntN(len(names)), replicas[r.IntN(2)]
		by, c := Admitted{Tenant: tenants[who]}, m.claims[[2]int{who, name}]
		op := []string{"claim", "verify", "verify", "publish", "publish", "withdraw", "primary", "remove", "time"}[r.IntN(9)]
		got, want := "", ""
		switch {
		case op == "claim":
			uses := [][]Use{{UseHost}, {UseHost}, {UseEmail}, {UseEmail, UseHost}}[r.IntN(4)]
			made := &held{}
			_, err := s.Claim(t.Context(), tenants[who], Operation{}, names[name], uses, func(d Domain) any { made.Domain = d; return nil })
			if got, want = codeOf(err), "ok"; c != nil || m.holder(name) >= 0 {
				want = "domain_taken"
			} else {
				m.claims[[2]int{who, name}] = made
			}
		case op == "time":
			for range leastMisses {
				p.later(t, s, s.Grace+aDay)
			}
			for _, c := range m.claims {
				c.proved = c.proved && c.published
			}
		case c == nil:
			continue
		case op == "verify":
			o, err := s.Verify(t.Context(), by, c.ID)
			got, want = codeOf(err), "ok"
			switch holder := m.holder(name); {
			case c.proved:
			case !c.published:
				if o.Verified {
					t.Errorf("seed %d, step %d: proved without a proof", seed, step)
				}
			case holder >= 0:
				want = "domain_taken"
			default:
				m.proofs++
				c.proved, c.order = true, m.proofs
			}
			p.clock.advance(time.Second) // proofs have an order
		case op == "publish", op == "withdraw":
			c.published = op == "publish"
			var all [][]string
			for t := range 2 {
				if c := m.claims[[2]int{t, name}]; c != nil && c.published {
					all = append(all, []string{c.RecordValue()})
				}
			}
			z.Publish(c.RecordName(), all...)
		case op == "primary":
			_, err := s.MakePrimary(t.Context(), by, c.ID)
			switch got, want = codeOf(err), "ok"; {
			case !c.proved:
				want = "not_verified"
			case !slices.Contains(c.Uses, UseHost):
				want = "not_a_host"
			default:
				m.primary[who] = c.Domain.Domain
			}
		case op == "remove":
			got, want = codeOf(s.Remove(t.Context(), by, c.ID)), "ok"
			delete(m.claims, [2]int{who, name})
		}
		m.settle()
		if got != want {
			t.Fatalf("seed %d, step %d: %s of %s by %d is answered %q, want %q", seed, step, op, names[name], who, got, want)
		}
		for i, tenant := range tenants {
			if is := primary(t, p, tenant); is != m.primary[i] {
				t.Fatalf("seed %d, step %d: after %s by %d %q is primary of %d, want %q", seed, step, op, who, is, i, m.primary[i])
			}
		}
		m.remembered(t, memories, tenants, names)
	}
}

// remembered waits until every replica's memory says of every name what the model says.
func (m *domainModel) remembered(t *testing.T, memories []*Directory, tenants []Tenant, names []Host) {
	t.Helper()
	for name, h := range names {
		holder := m.holder(name)
		host := holder >= 0 && slices.Contains(m.claims[[2]int{holder, name}].Uses, UseHost)
		for _, d := range memories {
			within(t, 5*time.Second, "a replica has heard of "+string(h), func() bool {
				found, err := d.ByHost(t.Context(), h)
				if err != nil && !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				return (err == nil) == host && (!host || found.ID == tenants[holder].ID && found.PrimaryDomain == m.primary[holder])
			})
		}
	}
}
