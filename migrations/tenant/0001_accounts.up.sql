-- What one tenant owns. Runs with the tenant's schema alone on the search_path, so no name here is qualified.
-- No "create type" or "create domain": statements cached by a connection are shared by all tenants, and a type of
-- one schema is not the type of another.

create table signing_keys (
    kid         text primary key,
    version     integer not null unique,
    algorithm   text not null check (algorithm in ('ES256', 'EdDSA', 'RS256')),
    jwk         text not null,
    state       text not null check (state in ('published', 'active', 'retiring')),
    created_at  timestamptz not null
);
create unique index signing_keys_one_active on signing_keys (state) where state = 'active';

create table users (
    id                  uuid primary key,
    email               text not null unique,
    name                text not null,
    first_name          text,
    last_name           text,
    display_name        text,
    avatar              text,
    roles               text[] not null,
    auth_provider       text not null default 'local' check (auth_provider in ('local', 'oidc', 'saml')),
    active              boolean not null default true,
    email_verified      boolean not null default false,
    is_owner            boolean not null default false,
    password_hash       text,
    -- Rises when the password or the standing of the account changes. A login that began under an older one finds it
    -- changed when it wants to write its session, and fails.
    credential_version  integer not null default 1,
    created_at          timestamptz not null,
    updated_at          timestamptz not null
);
create unique index users_one_owner on users (is_owner) where is_owner;

create table sessions (
    id          uuid primary key,
    user_id     uuid not null references users (id) on delete cascade,
    amr         text[] not null,
    acr         text not null,
    auth_time   timestamptz not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    client_ip   inet,
    user_agent  text,
    -- SHA-256 of the newest refresh token; the token itself is known to its holder alone.
    refresh_hash        bytea not null unique,
    refresh_expires_at  timestamptz not null
);
create index sessions_user on sessions (user_id, id);
create index sessions_expiry on sessions (expires_at);

create table api_keys (
    id           uuid primary key,
    name         text not null,
    prefix       text not null,
    key_hash     bytea not null unique,
    scopes       text[] not null,
    created_by   uuid,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz
);

create table idempotency_keys (
    scope        text not null,
    key_hash     bytea not null,
    answer       text not null,
    created_at   timestamptz not null,
    primary key (scope, key_hash)
);
create index idempotency_keys_age on idempotency_keys (created_at);
