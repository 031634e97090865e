-- What the tenant decided about itself; at most one row.
create table settings (
    one      boolean primary key check (one),
    document text not null
);

-- Which kinds of confirmed factor the user has, so that the read of a login tells whether one is owed. Written in the
-- transaction that confirms or removes a factor.
alter table users add column factors text[] not null default '{}';

create table factors (
    id            uuid primary key,
    user_id       uuid not null references users (id) on delete cascade,
    method_type   text not null check (method_type in ('totp', 'webauthn_passkey', 'webauthn_fido')),
    device_name   text not null,
    created_at    timestamptz not null,
    confirmed_at  timestamptz,
    last_used_at  timestamptz,
    -- TOTP: the secret, sealed by custody with tenant and user; the newest time step that was accepted.
    secret        text,
    last_step     bigint,
    -- WebAuthn: the credential record (WebAuthn Level 3 section 4) as JSON, and the relying party it was made for.
    credential_id bytea unique check (length(credential_id) between 1 and 1023),
    credential    text,
    rp_id         text,
    check ((method_type = 'totp') = (secret is not null)),
    check ((method_type <> 'totp') = (credential_id is not null and credential is not null and rp_id is not null))
);
create index factors_user on factors (user_id);
create unique index factors_one_totp on factors (user_id) where method_type = 'totp' and confirmed_at is not null;

-- Ten codes that are good for one login each. set_id goes into the key their hashes are made with.
create table backup_codes (
    user_id  uuid not null references users (id) on delete cascade,
    set_id   uuid not null,
    hash     bytea not null,
    primary key (user_id, hash)
);

-- A login, enrolment, step-up or registration under way. id_hash is the SHA-256 of the id, which is a secret. Of a sign-in
-- by passkey there is a row once it is done, so that it is not done again; until then it needs none.
create table challenges (
    id_hash            bytea primary key,
    purpose            text not null check (purpose in ('login', 'enroll', 'step_up', 'register', 'passkey')),
    user_id            uuid references users (id) on delete cascade,
    session_id         uuid references sessions (id) on delete cascade,
    methods            text[] not null,
    amr                text[] not null,
    auth_time          timestamptz not null,
    credential_version integer not null,
    ceremony           text, -- WebAuthn: what the browser was asked for
    tries              integer not null default 0,
    created_at         timestamptz not null,
    expires_at         timestamptz not null,
    check ((user_id is null) = (purpose = 'passkey'))
);
create index challenges_expiry on challenges (expires_at);
create index challenges_user on challenges (user_id, created_at);

-- Wrong second factors of an account, over all challenges: no new challenge and no right password resets it.
create table factor_failures (
    user_id       uuid primary key references users (id) on delete cascade,
    failures      integer not null, -- decide how long to wait; begin again after a day of quiet
    consecutive   integer not null, -- only a right answer or a reset begins them again
    last_at       timestamptz not null,
    blocked_until timestamptz not null
);
