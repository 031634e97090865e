-- How the last attempt to migrate a tenant's schema went. Where the schema stands is tenants.schema_version; a tenant without
-- a row was made at its version. A failure counts while the tenant is behind the version that was to be reached.
create table tenant_migrations (
    tenant_id    uuid primary key references tenants (id) on delete cascade,
    version      integer not null, -- that was to be reached
    state        text not null check (state in ('done', 'failed', 'dirty')),
    error        text check (char_length(error) <= 1000),
    attempted_at timestamptz not null,
    check ((state = 'done') = (error is null))
);
