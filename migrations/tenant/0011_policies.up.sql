-- A tenant's policies: rules in Cedar that decide who may do what. rules is a JSON list of objects with id, ordinal, text and
-- created_at; it is read and written as a whole, and what the rules mean is the service's to know.
create table policies (
    id          uuid primary key,
    name        text not null,
    description text not null,
    enabled     boolean not null,
    priority    integer not null,
    mode        text not null check (mode in ('enforce', 'shadow')),
    rules       text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

-- What holds until the tenant decides otherwise. The ids are the same in every tenant; this policy is known by them.
insert into policies (id, name, description, enabled, priority, mode, rules, created_at, updated_at) values (
    '00000000-0000-7000-8000-000000000001', 'Default',
    'What holds until you decide otherwise. Change it as you like; gatehouse policy reset brings it back.', true, 0, 'enforce',
    json_build_array(
        json_build_object('id', '00000000-0000-7000-8000-000000000002', 'ordinal', 1, 'created_at', '2026-01-01T00:00:00Z', 'text',
$cedar$// Everybody who has proved who they are may sign in.
permit (
    principal,
    action in [Action::"login", Action::"refresh", Action::"step_up", Action::"enroll_factor", Action::"exchange"],
    resource
);$cedar$),
        json_build_object('id', '00000000-0000-7000-8000-000000000003', 'ordinal', 2, 'created_at', '2026-01-01T00:00:00Z', 'text',
$cedar$// Administrators may do everything in the tenant.
permit (
    principal in Role::"admin",
    action == Action::"call_api",
    resource
);$cedar$)),
    '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z');
