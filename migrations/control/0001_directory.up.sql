-- The directory of the platform: which tenants there are, where each lives, and which host names are whose.
-- Everything a tenant owns beyond that is in the tenant's own schema.

create table tenants (
    id                uuid primary key,
    slug              text not null unique check (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
    name              text not null check (char_length(name) between 1 and 100),
    locale            text not null,
    region            text not null,
    -- The name of a configured database, not its address: addresses and passwords stay out of the directory.
    database          text not null,
    state             text not null check (state in ('provisioning', 'active', 'suspended')),
    is_master         boolean not null,
    signing_algorithm text not null check (signing_algorithm in ('ES256', 'EdDSA', 'RS256')),
    owner_email       text,
    owner_name        text,
    owner_user_id     uuid,
    schema_version    integer not null,
    -- What is still to be put into the tenant's schema while it is being provisioned, so that any replica can
    -- finish what a crashed one began. Null once the tenant is usable. Holds hashes, never a secret.
    blueprint         text,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    check ((state = 'provisioning') = (blueprint is not null))
);
create unique index tenants_one_master on tenants (is_master) where is_master;
create index tenants_unfinished on tenants (created_at) where state = 'provisioning';

create table domains (
    id                 uuid primary key,
    tenant_id          uuid not null references tenants (id),
    domain             text not null check (char_length(domain) between 1 and 253),
    uses               text[] not null check (uses <@ array['host', 'email'] and cardinality(uses) > 0),
    verification_token text not null,
    verified_at        timestamptz,
    is_primary         boolean not null default false,
    created_at         timestamptz not null,
    unique (tenant_id, domain),
    check (not is_primary or verified_at is not null)
);
-- Anyone may claim a name; only one tenant can have proved it.
create unique index domains_one_holder on domains (domain) where verified_at is not null;
create unique index domains_one_primary on domains (tenant_id) where is_primary;

-- Answers of creating operations that touch the directory. Tenant schemas have a table of the same shape.
create table idempotency_keys (
    scope        text not null,
    key_hash     bytea not null,
    answer       text not null,
    created_at   timestamptz not null,
    primary key (scope, key_hash)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- Every replica caches the directory and drops an entry when told to. A trigger tells them, so that no writer, not
-- even a person with psql, can forget.
create function announce_tenant() returns trigger language plpgsql as $$
begin
    perform pg_notify('gatehouse_directory', coalesce(new.id, old.id)::text);
    return null;
end $$;
create trigger tenants_announce after insert or update or delete on tenants
    for each row execute function announce_tenant();

create function announce_domain() returns trigger language plpgsql as $$
begin
    perform pg_notify('gatehouse_directory', coalesce(new.tenant_id, old.tenant_id)::text);
    if old.tenant_id <> new.tenant_id then -- a domain that moves is news to both; null on insert and delete
        perform pg_notify('gatehouse_directory', old.tenant_id::text);
    end if;
    return null;
end $$;
create trigger domains_announce after insert or update or delete on domains
    for each row execute function announce_domain();

-- The serving role reads the directory as gatehouse_directory, and through it may write what tenants manage
-- themselves. Tenants are created and changed by the provisioner, who owns this schema.
grant usage on schema control to gatehouse_directory;
grant select on tenants to gatehouse_directory;
grant select, insert, update, delete on domains, idempotency_keys to gatehouse_directory;
grant select on schema_migrations to gatehouse_directory;
