-- A proved domain is looked up again, again and again: who no longer controls a name must lose it.
alter table domains
    add column checked_at    timestamptz, -- when DNS last gave an answer, whichever
    add column failing_since timestamptz, -- since when it says that the proof is gone
    add column misses        integer not null default 0, -- how often in a row it said so
    add column lost_at       timestamptz, -- when the domain was lost for that
    -- Who looks a domain up moves this on first, so nobody else does meanwhile; infinity is never.
    add column next_check_at timestamptz not null default '-infinity',
    add check (failing_since is null or verified_at is not null);
create index domains_due on domains (next_check_at) where verified_at is not null;

-- Lookups are no news to the directory, which replicas would drop and read again.
drop trigger domains_announce on domains;
create trigger domains_announce_row after insert or delete on domains for each row execute function announce_domain();
create trigger domains_announce_change after update on domains for each row
    when ((old.tenant_id, old.domain, old.uses, old.verified_at, old.is_primary) is distinct from (new.tenant_id, new.domain, new.uses, new.verified_at, new.is_primary))
    execute function announce_domain();
