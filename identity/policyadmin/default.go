package policyadmin

import (
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// The default policy has the same ids in every tenant. Its text is in migrations/tenant too, from where each tenant gets it.
var (
	defaultID   = id.Policy{6: 0x70, 8: 0x80, 15: 1}
	defaultMade = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Default is the policy that every tenant begins with.
func Default() Policy {
	p := Policy{ID: defaultID, Name: "Default", Description: "What holds until you decide otherwise. Change it as you like; gatehouse policy reset brings it back.",
		Enabled: true, Mode: Enforce, CreatedAt: defaultMade, UpdatedAt: defaultMade}
	rules, err := policy.ParseRules(policy.DefaultRules)
	if err != nil {
		panic(err) // they are part of the program
	}
	for i, r := range rules {
		p.Rules = append(p.Rules, Rule{ID: id.Rule{6: 0x70, 8: 0x80, 15: byte(2 + i)}, Ordinal: i + 1, CreatedAt: defaultMade, Rule: r})
	}
	return p
}

// shipped is Default, made once.
var shipped = sync.OnceValue(Default)

// undecided is what most tenants have in memory together: those that have decided nothing.
var undecided = sync.OnceValue(func() *policy.Set { return compile([]Policy{shipped()}) })

// isDefault reports whether a tenant's policies mean what Default does.
func isDefault(all []kept) bool {
	if len(all) != 1 || all[0].ID != defaultID || !all[0].Enabled || all[0].Mode != Enforce {
		return false
	}
	want := shipped().Rules
	if len(all[0].rows) != len(want) {
		return false
	}
	for i, row := range all[0].rows {
		if row.ID != want[i].ID || row.Text != want[i].Text() {
			return false
		}
	}
	return true
}
