-- What is ours in the schema of the jobs. Run after the library's own migrations, at each gatehouse migrate: everything
-- here may be said again.

-- A row in a tenant's table of mails is a job to send it, in the same transaction. The tenant is that of the table, which
-- Postgres tells: no tenant can have a mail of another one sent, and none has a right in this schema. The function has its
-- owner's rights, so it looks at nothing by a name that a caller could have made mean something else.
--
-- The job says whose mail and which, and nothing of what is in it. Who has many mails waiting stands behind those who have
-- few: a thousand invitations of one tenant do not hold up the password reset of another.
create or replace function jobs.mail_posted() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    waiting integer;
begin
    execute format('select count(*) from (select from %I.mails limit 500) m', tg_table_schema) into waiting;
    insert into jobs.river_job (kind, queue, args, priority, max_attempts) values ('mail', 'mail',
        jsonb_build_object('tenant', substr(tg_table_schema, 3)::uuid, 'mail', new.id),
        case when waiting < 20 then 1 when waiting < 100 then 2 when waiting < 500 then 3 else 4 end, 10000);
    perform pg_notify('jobs.river_insert', '{"queue":"mail"}');
    return null;
end $$;
revoke all on function jobs.mail_posted() from public;

-- The workers' role: the rows of the jobs and nothing else. What a later version of the library adds is for a line here.
grant usage on schema jobs to gatehouse_jobs;
grant select, insert, update, delete on jobs.river_job, jobs.river_leader, jobs.river_queue, jobs.river_notification to gatehouse_jobs;
grant usage on sequence jobs.river_job_id_seq, jobs.river_notification_id_seq to gatehouse_jobs;
