-- The version before tells verifiers of every key there is.
delete from signing_keys where state in ('retired', 'revoked');
drop index signing_keys_one_published;
alter table signing_keys
    drop column since,
    drop column due_at,
    drop constraint signing_keys_state_check,
    add constraint signing_keys_state_check check (state in ('published', 'active', 'retiring'));
