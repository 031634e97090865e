-- Slugs that tenants gave up, by a new name or with their end. A slug is in links, in configurations and in people's heads, so
-- it leads to nobody else for ever; whose it was may take it back.
create table parked_slugs (
    slug      text primary key,
    tenant_id uuid not null, -- no reference: it outlives the tenant
    parked_at timestamptz not null
);

-- A trigger, so that no writer can forget to park a slug or to ask for one, also none of a version that knows nothing of
-- this. It looks after the row is written, in a statement of its own: whoever wants a slug that is being given up waits at the
-- unique index until that is committed, and a look before would have been through the eyes of a moment before.
create function park_slug() returns trigger language plpgsql as $$
declare
    anothers boolean;
begin
    if tg_op <> 'INSERT' and old.state <> 'provisioning' and (tg_op = 'DELETE' or new.slug <> old.slug) then
        execute format('insert into %I.parked_slugs (slug, tenant_id, parked_at) values ($1, $2, now()) on conflict (slug) do nothing',
            tg_table_schema) using old.slug, old.id;
    end if;
    if tg_op <> 'DELETE' then
        execute format('select exists (select from %I.parked_slugs where slug = $1 and tenant_id <> $2)', tg_table_schema)
            into anothers using new.slug, new.id;
        if anothers then
            raise exception 'the slug is parked' using errcode = 'unique_violation', constraint = 'tenants_slug_key';
        end if;
    end if;
    return null;
end $$;
create trigger tenants_park after insert or delete or update of slug on tenants
    for each row execute function park_slug();
