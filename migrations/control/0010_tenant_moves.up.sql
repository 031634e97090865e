-- Tenants that are on their way to another database. A row is there from before the first step until after the last one, so what
-- a crash interrupts is found and put right. Until it is moved the tenant lives in source, afterwards in target, as its record says.
create table tenant_moves (
    tenant_id uuid primary key references tenants (id), -- and no cascade: who wants the tenant gone has to wait
    id        uuid not null, -- tells one move from the next
    source    text not null,
    target    text not null check (target <> source),
    state     text not null check (state in ('copying', 'aborting', 'moved')),
    begun_at  timestamptz not null default now(),
    moved_at  timestamptz check ((moved_at is not null) = (state = 'moved'))
);
grant select on tenant_moves to gatehouse_directory;
