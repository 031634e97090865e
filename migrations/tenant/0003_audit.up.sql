-- What happened, for good: entries are added and never changed. Each hash is over the one before and the entry, so that an
-- entry cannot be taken out or altered without every later hash telling. entry is the text that is hashed, to the byte,
-- and what is told to whoever asks; the other columns are parts of it, to search by.
create table audit_log (
    seq           bigint primary key,
    entry         text not null,
    hash          bytea not null,
    id            uuid not null,
    action        text not null,
    actor_type    text not null,
    actor_id      text,
    resource_type text,
    resource_id   text,
    created_at    timestamptz not null
);
-- The list is by time, so each filter is one range of one index. What every login pays for is kept to these.
create index audit_log_time on audit_log (created_at, seq);
create index audit_log_action on audit_log (action, created_at, seq);
create index audit_log_actor on audit_log (actor_id, created_at, seq) where actor_id is not null;
create index audit_log_resource on audit_log (resource_id, created_at, seq) where resource_id is not null;

-- The newest link of the chain. Whoever adds an entry holds this row until commit, so that the entries are one row.
create table audit_head (
    one   boolean primary key check (one),
    seq   bigint not null,
    hash  bytea not null
);
insert into audit_head (one, seq, hash) values (true, 0, decode(repeat('00', 32), 'hex'));

-- The head as it was when a day had ended, signed with the tenant's own key: at most one for each day.
create table audit_seals (
    day   date primary key,
    seq   bigint not null,
    hash  bytea not null,
    jws   text not null
);

-- The serving role adds to the log; not even a statement smuggled into the service rewrites it. (The template schema has
-- no role of its own, and nobody any right in it.)
do $$ begin
    if exists (select from pg_roles where rolname = current_schema()) then
        execute format('revoke update, delete on audit_log, audit_seals from %I', current_schema());
        execute format('revoke insert, delete on audit_head from %I', current_schema());
    end if;
end $$;
