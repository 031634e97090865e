-- When somebody last did something to a tenant's keys or looked whether there is something to do: replicas ask who changed since
-- they asked last, and need not read all keys again and again.
alter table key_steps add column changed_at timestamptz not null default now();
create index key_steps_changed on key_steps (changed_at);
