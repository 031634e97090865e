-- When a tenant's signing keys want somebody's attention next, so that one query finds the few of all tenants that do. It is a
-- reminder: what is to be done stands with the keys, in the tenant's schema.
create table key_steps (
    tenant_id uuid primary key references tenants (id) on delete cascade,
    due_at    timestamptz not null
);
create index key_steps_due on key_steps (due_at);

-- What somebody asked for and is not done yet. Written before the first step, so that any replica can finish what a crashed
-- one began.
create table key_requests (
    id        uuid primary key,
    tenant_id uuid not null references tenants (id) on delete cascade,
    kind      text not null check (kind in ('rotate', 'revoke')),
    algorithm text, -- of a rotation; null: as before
    kid       text, -- of a revocation
    asked_by  text not null, -- what kind of actor; who it was stands in the platform's log
    asked_at  timestamptz not null,
    check ((kind = 'revoke') = (kid is not null))
);
create index key_requests_age on key_requests (asked_at);
grant select, insert, update, delete on key_steps, key_requests to gatehouse_directory;
