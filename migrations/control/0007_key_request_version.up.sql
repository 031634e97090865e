-- The newest key there was when a rotation was asked for: one that came later has answered it. Clocks of replicas differ.
alter table key_requests add column after_version integer not null default 0;
