-- The version before knows sessions by a hash that these have not: their people sign in again.
delete from sessions where refresh_hash is null;
alter table sessions
    drop column refresh_seed,
    drop column refresh_generation,
    drop column refreshed_at,
    alter column refresh_hash set not null,
    add constraint sessions_refresh_hash_key unique (refresh_hash);
