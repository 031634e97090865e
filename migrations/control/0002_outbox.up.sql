-- Entries of audit logs whose cause is in the directory, written in the transaction of the cause. A tenant's log is in
-- another schema, maybe of another database, so no transaction spans both; an entry waits here until it is in the log.
create table audit_outbox (
    id         uuid primary key, -- the entry's own, by which it is added once
    tenant_id  uuid not null,    -- whose log it is for
    about      uuid,             -- a tenant that has to be usable first: one whose making is given up was never made
    entry      text not null,
    created_at timestamptz not null
);
grant select, insert, delete on audit_outbox to gatehouse_directory;
