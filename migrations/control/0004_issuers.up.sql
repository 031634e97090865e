-- Issuers that tenants had before. Access tokens that name one are good until they expire, so it is kept as long as one of
-- them can be. host is empty where the issuer was the place of the slug on the shared host.
create table former_issuers (
    tenant_id uuid not null references tenants (id) on delete cascade,
    host      text not null,
    slug      text not null,
    ended_at  timestamptz not null,
    primary key (tenant_id, host, slug),
    check ((host = '') <> (slug = ''))
);
grant select, insert, update, delete on former_issuers to gatehouse_directory;
