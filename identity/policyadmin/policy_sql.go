package policyadmin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const selectPolicies = `select id, name, description, enabled, priority, mode, rules, created_at, updated_at from policies order by priority desc, id`

func queueRead(b *tenancy.Batch, into *[]kept) {
	b.Queue(selectPolicies).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, scan)
		return err
	})
}

// alone waits until nobody else changes the tenant's policies, and has others wait until this transaction ends. A lock of
// their rows would not do: a change may add some. Two tenants of one number would wait for each other, and no more.
func alone(ctx context.Context, tx tenancy.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('policies of ' || $1, 0))`, tx.Tenant().ID.String())
	return err
}

// lock reads the policies for a change.
func lock(ctx context.Context, tx tenancy.Tx) ([]kept, error) {
	if err := alone(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, selectPolicies)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// ruleRow is a rule as it is kept.
type ruleRow struct {
	ID        id.Rule   `json:"id"`
	Ordinal   int       `json:"ordinal"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
}

// kept is a policy whose rules have not been parsed.
type kept struct {
	Policy
	rows []ruleRow
}

func scan(row pgx.CollectableRow) (k kept, err error) {
	var rules string
	if err := row.Scan(&k.ID, &k.Name, &k.Description, &k.Enabled, &k.Priority, &k.Mode, &rules, &k.CreatedAt, &k.UpdatedAt); err != nil {
		return k, err
	}
	k.CreatedAt, k.UpdatedAt = k.CreatedAt.UTC(), k.UpdatedAt.UTC()
	if err := json.Unmarshal([]byte(rules), &k.rows); err != nil {
		return k, fmt.Errorf("policyadmin: the rules of policy %s: %w", k.ID, err)
	}
	return k, nil
}

// parsed are the policies with their rules. A rule that was accepted by another version's schema and is not by this one's is
// an error: nobody may do anything until it is put right, rather than what it forbids.
func parsed(all []kept) ([]Policy, error) {
	policies := make([]Policy, len(all))
	for i, k := range all {
		for _, row := range k.rows {
			r, err := policy.ParseRule(row.Text)
			if err != nil {
				return nil, fmt.Errorf("policyadmin: rule %s of policy %s: %w", row.ID, k.ID, err)
			}
			k.Rules = append(k.Rules, Rule{row.ID, row.Ordinal, row.CreatedAt.UTC(), r})
		}
		policies[i] = k.Policy
	}
	return policies, nil
}

func (p Policy) rulesText() (string, error) {
	rows := make([]ruleRow, len(p.Rules))
	for i, r := range p.Rules {
		rows[i] = ruleRow{r.ID, r.Ordinal, r.Text(), r.CreatedAt}
	}
	text, err := json.Marshal(rows)
	return string(text), err
}

func put(ctx context.Context, tx tenancy.Tx, p Policy) error {
	rules, err := p.rulesText()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into policies (id, name, description, enabled, priority, mode, rules, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (id) do update set name = $2, description = $3, enabled = $4, priority = $5, mode = $6, rules = $7, updated_at = $9`,
		p.ID, p.Name, p.Description, p.Enabled, p.Priority, p.Mode, rules, p.CreatedAt, p.UpdatedAt)
	return err
}

func remove(ctx context.Context, tx tenancy.Tx, p id.Policy) error {
	_, err := tx.Exec(ctx, `delete from policies where id = $1`, p)
	return err
}

// disableAll does not read the rules: they may be why nobody gets in.
func disableAll(ctx context.Context, tx tenancy.Tx, at time.Time) error {
	if err := alone(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `update policies set enabled = false, updated_at = $1 where enabled`, at)
	return err
}
