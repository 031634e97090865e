-- Of a refresh token nothing is stored: it is made of the seed and the generation of its session and of a key in custody.
-- refresh_hash is what the version before this one writes, and goes with the next. Without its index a refresh changes no
-- indexed column and so writes nothing but the row.
alter table sessions
    drop constraint sessions_refresh_hash_key,
    alter column refresh_hash drop not null,
    add column refresh_seed bytea,
    add column refresh_generation integer not null default 1,
    add column refreshed_at timestamptz; -- when the newest refresh token was made
