-- A tenant that is to be deleted later is known to nobody any more and can be restored until then: delete_after says when, and
-- state_before what it is again if it is restored.
alter table tenants
    drop constraint tenants_state_check,
    add constraint tenants_state_check check (state in ('provisioning', 'active', 'suspended', 'deleting')),
    add column delete_after timestamptz,
    add column state_before text check (state_before in ('active', 'suspended')),
    add constraint tenants_deleting_check check ((state = 'deleting') = (delete_after is not null) and (state = 'deleting') = (state_before is not null));
create index tenants_due on tenants (delete_after) where state = 'deleting';

-- What is left of tenants that were deleted. A row takes the place of the tenant's own in one transaction, so no reader of
-- tenants, also none of an earlier version, has to know of it; the rest is done step by step, and each step is noted here. It
-- stays for ever, for the id is never used again, and holds nothing about people.
create table deletions (
    tenant_id         uuid primary key,
    slug              text not null,
    region            text not null,
    database          text not null,
    domains           text[] not null,
    created_at        timestamptz not null, -- the tenant
    deleted_at        timestamptz not null,
    inventory         text,                 -- what there was, as JSON; counted before anything of it is destroyed
    keys_destroyed_at timestamptz,
    schema_dropped_at timestamptz,
    receipt           text,                 -- signed by the platform's key, once everything is destroyed
    check (keys_destroyed_at is null or inventory is not null),
    check (schema_dropped_at is null or keys_destroyed_at is not null),
    check (receipt is null or schema_dropped_at is not null)
);
create index deletions_unfinished on deletions (deleted_at) where receipt is null;
