package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// jobsOf are the jobs of a tenant, as JSON.
func jobsOf(t *testing.T, tt testTenant) []string {
	t.Helper()
	return queryText(t, tt.install.SuperuserURL, `select to_jsonb(j)::text from jobs.river_job j where args->>'tenant' = $1 order by id`, tt.id)
}

func queryText(t *testing.T, url, sql string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// as runs a statement as the login role that has taken on another one, and gives Postgres' code of refusal.
func as(t *testing.T, url, role, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if role != "" {
		if _, err := conn.Exec(t.Context(), "set role "+role); err != nil {
			t.Fatal(err)
		}
	}
	var refused *pgconn.PgError
	if _, err = conn.Exec(t.Context(), sql, args...); errors.As(err, &refused) {
		return refused.Code
	} else if err != nil {
		t.Fatal(err)
	}
	return ""
}

// A tenant's role, with whatever SQL is smuggled to it, has its own mails sent and nobody else's; it sees no jobs. Those who
// work jobs see no tenant.
func TestJobsAndTenantsAreOutOfEachOthersReach(t *testing.T) {
	t.Parallel()
	tp := withoutMail(t)
	a, b := tp.newTenant(t), tp.newTenant(t)
	schemaOf := func(tt testTenant) string { return "t_" + strings.ReplaceAll(tt.id, "-", "") }
	b.postMail(t, mail.Mail{Kind: letter.PasswordChanged, Address: "bob@people.example"})
	before := jobsOf(t, b)

	const values = ` (id, kind, address, data, created_at) values (gen_random_uuid(), 'password_changed', 'eve@people.example', '{}', now())`
	for _, sql := range []string{
		`insert into ` + schemaOf(b) + `.mails` + values,
		`select from jobs.river_job`, `update jobs.river_job set state = 'cancelled'`, `delete from jobs.river_job`, `select from jobs.river_queue`,
		`insert into jobs.river_job (kind, queue, args, max_attempts) values ('mail', 'mail', '{}', 1)`,
		`select jobs.mail_posted()`,
		`create trigger mine after insert on ` + schemaOf(a) + `.mails for each row execute function jobs.mail_posted()`,
		`alter table ` + schemaOf(a) + `.mails disable trigger all`,
	} {
		if code := as(t, tp.install.RuntimeURL, schemaOf(a), sql); code != "42501" {
			t.Errorf("a tenant's role: %s: %q, want 42501", sql, code)
		}
		if code := as(t, tp.install.RuntimeURL, "", sql); code != "42501" {
			t.Errorf("no tenant's role: %s: %q, want 42501", sql, code)
		}
	}
	// Names that mean something else on the caller's side mean nothing to the trigger.
	mine := `set search_path = ` + schemaOf(a) + `, ` + schemaOf(b) + `; insert into ` + schemaOf(a) + `.mails` + values
	if code := as(t, tp.install.RuntimeURL, schemaOf(a), mine); code != "" {
		t.Errorf("a tenant's own mail: %s", code)
	}
	if jobs := jobsOf(t, a); len(jobs) != 1 || strings.Contains(jobs[0], "people.example") {
		t.Errorf("the tenant's own jobs are %q", jobs)
	}
	if now := jobsOf(t, b); len(now) != 1 || now[0] != before[0] {
		t.Errorf("the other tenant's jobs were %q and are %q", before, now)
	}

	for _, sql := range []string{`select from ` + schemaOf(a) + `.mails`, `select from ` + schemaOf(a) + `.users`, `select from control.tenants`,
		`set search_path = ` + schemaOf(b) + `; select from users`, `alter table jobs.river_job drop column args`, `create table jobs.mine (id int)`} {
		if code := as(t, tp.install.RuntimeURL, migrations.JobsRole, sql); code != "42501" && code != "42P01" {
			t.Errorf("the jobs' role: %s: %q, want 42501", sql, code)
		}
	}
}

// A thousand invitations of one tenant do not hold up the password reset of another.
func TestWhoHasManyMailsWaitingStandsBehind(t *testing.T) {
	t.Parallel()
	tp := withoutMail(t)
	a, b := tp.newTenant(t), tp.newTenant(t)
	var many []mail.Mail
	for i := range 600 {
		many = append(many, mail.Mail{Kind: letter.PasswordChanged, Address: fmt.Sprintf("ada%d@people.example", i)})
	}
	for len(many) > 0 {
		a.postMail(t, many[:50]...)
		many = many[50:]
	}
	b.postMail(t, mail.Mail{Kind: letter.PasswordChanged, Address: "bob@people.example"})
	priority := func(job string) (p int) {
		var j struct{ Priority int }
		if err := json.Unmarshal([]byte(job), &j); err != nil {
			t.Fatal(err)
		}
		return j.Priority
	}
	jobs := jobsOf(t, a)
	for i, want := range map[int]int{0: 1, 18: 1, 50: 2, 300: 3, 599: 4} {
		if got := priority(jobs[i]); got != want {
			t.Errorf("mail %d has priority %d, want %d", i, got, want)
		}
	}
	if got := priority(jobsOf(t, b)[0]); got != 1 {
		t.Errorf("the other tenant's mail has priority %d", got)
	}
}
