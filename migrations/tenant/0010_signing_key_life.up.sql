-- A signing key's life: published, then active, then retiring, then retired; revoked from anywhere. Only the first three are
-- told to verifiers. Rows stay for ever, because seals of the audit log are signed with them.
alter table signing_keys
    drop constraint signing_keys_state_check,
    add constraint signing_keys_state_check check (state in ('published', 'active', 'retiring', 'retired', 'revoked')),
    add column since timestamptz,  -- when it came to this state; null: when it was made
    add column due_at timestamptz; -- when it leaves this state by itself; null: it stays
create unique index signing_keys_one_published on signing_keys (state) where state = 'published';
