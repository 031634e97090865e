package main

import (
	"context"
)

// inventPast writes users and entries of their logins, as the service would have, but for the chain.
func inventPast(ctx context.Context, conn connection, schema string, logins int) error {
	_, err := conn.Exec(ctx, `insert into `+schema+`.users (id, email, name, roles, auth_provider, active, email_verified, is_owner, created_at, updated_at)
		select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'n' || n || '@people.example', 'N', '{user}', 'local', true, true, false, now(), now()
		from generate_series(1, 1000) n`)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `insert into `+schema+`.audit_log (seq, entry, hash, id, action, actor_type, actor_id, resource_type, resource_id, created_at)
		select 1000000 + n, json_build_object('id', gen_random_uuid(), 'metadata', json_build_object('acr', 'aal1', 'agent', 'firefox', 'amr', json_build_array('pwd'),
				'device', 'abcdef0' || n % 3, 'method', 'pwd', 'network', '10.0.' || n % 200 || '.0/24', 'request_id', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'session', gen_random_uuid()))::text,
			'', gen_random_uuid(), 'login.succeeded', 'user', u, 'user', u, now() - interval '30 days' + n * (interval '29 days' / $1)
		from (select n, '00000000-0000-7000-8000-' || lpad((1 + n % 1000)::text, 12, '0') as u from generate_series(1, $1) n) logins`, logins)
	return err
}
