drop table deletions;
drop index tenants_due;
alter table tenants
    drop constraint tenants_deleting_check,
    drop column delete_after,
    drop column state_before,
    drop constraint tenants_state_check,
    add constraint tenants_state_check check (state in ('provisioning', 'active', 'suspended'));
