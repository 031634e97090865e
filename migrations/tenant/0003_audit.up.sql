-- What happened, for good: entries are added and never changed. Each hash is over the one before and the entry, so that an
-- entry cannot be taken out or altered without every later hash telling. entry is the text that is hashed, to the byte;
-- the other columns are parts of it, to search by.
create table audit_log (
    seq           bigint primary key,
    entry         text not null,
    hash          bytea not null,
    id            uuid not null unique,
    action        text not null,
    actor_type    text not null,
    actor_id      text,
    resource_type text,
    resource_id   text,
    created_at    timestamptz not null
);
create index audit_log_actor on audit_log (actor_id, seq);
create index audit_log_resource on audit_log (resource_type, resource_id, seq);
create index audit_log_action on audit_log (action, seq);
create index audit_log_time on audit_log (created_at, seq);

-- The newest link of the chain. Whoever adds an entry holds this row until commit, so that the entries are one row.
create table audit_head (
    one   boolean primary key check (one),
    seq   bigint not null,
    hash  bytea not null
);
insert into audit_head (one, seq, hash) values (true, 0, decode(repeat('00', 32), 'hex'));

-- The serving role adds to the log; not even a statement smuggled into the service rewrites it. (The template schema has
-- no role of its own, and nobody any right in it.)
do $$ begin
    if exists (select from pg_roles where rolname = current_schema()) then
        execute format('revoke update, delete on audit_log from %I', current_schema());
        execute format('revoke insert, delete on audit_head from %I', current_schema());
    end if;
end $$;
