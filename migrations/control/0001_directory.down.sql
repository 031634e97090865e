drop table domains;
drop table idempotency_keys;
drop table tenants;
drop function announce_domain();
drop function announce_tenant();
