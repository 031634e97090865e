package main

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/identity/policyadmin"
)

// BenchmarkRehearsal puts 100,000 logins of 1,000 users in 30 days to a draft of two rules, one of which asks what is known of the user.
func BenchmarkRehearsal(b *testing.B) {
	tt := sharedPlatform(b).newTenant(b)
	tt.exec(b, `insert into users (id, email, name, roles, auth_provider, active, email_verified, is_owner, created_at, updated_at)
		select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'n' || n || '@people.example', 'N', '{user}', 'local', true, true, false, now(), now()
		from generate_series(1, 1000) n`)
	tt.exec(b, `insert into audit_log (seq, entry, hash, id, action, actor_type, actor_id, resource_type, resource_id, created_at)
		select 1000000 + n, json_build_object('id', gen_random_uuid(), 'metadata', json_build_object('acr', 'aal1', 'agent', 'firefox', 'amr', json_build_array('pwd'),
				'device', 'abcdef0' || n % 3, 'method', 'pwd', 'network', '10.0.' || n % 200 || '.0/24', 'request_id', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'session', gen_random_uuid()))::text,
			'', gen_random_uuid(), 'login.succeeded', 'user', u, 'user', u, now() - interval '30 days' + n * interval '25 seconds'
		from (select n, '00000000-0000-7000-8000-' || lpad((1 + n % 1000)::text, 12, '0') as u from generate_series(1, 100000) n) logins`)
	rules, err := policy.ParseRules(`forbid (principal, action == Action::"login", resource) unless { context.ip.isInRange(ip("10.0.0.0/17")) };
forbid (principal, action == Action::"login", resource) unless { context.known_device || context.acr == "aal2" };`)
	if err != nil {
		b.Fatal(err)
	}
	t := tt.record(b)
	for b.Loop() {
		r, err := tt.policies.Rehearse(context.Background(), t, policyadmin.Draft{Rules: rules}, time.Now().AddDate(0, 0, -31), func(int, int) {})
		if err != nil || r.Logins != 100_000 || !r.Complete {
			b.Fatalf("%+v %v", r.Logins, err)
		}
	}
}
