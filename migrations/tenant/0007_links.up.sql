-- Links that were mailed, one of a kind for each user: a new one takes the place of the one before. Of the token there is only
-- the SHA-256. A spent one stays until then, so that its second use is seen for what it is.
create table links (
    user_id      uuid not null references users (id) on delete cascade,
    purpose      text not null check (purpose in ('invitation', 'verify_email', 'reset_password', 'confirm_email_change')),
    hash         bytea not null unique,
    address      text not null, -- the user's when the link was made; of another it opens nothing
    new_address  text check ((new_address is not null) = (purpose = 'confirm_email_change')),
    session_id   uuid, -- of an e-mail change: who asked for it stays signed in
    mail_id      uuid not null,
    requested_at timestamptz not null, -- when the mail was asked for, which may be long before it was sent
    expires_at   timestamptz not null,
    spent_at     timestamptz,
    refused_at   timestamptz, -- when the log was told that somebody tried it in vain
    primary key (user_id, purpose)
);

-- When mails of a kind were last asked for an address, newest first; whether the address is somebody's makes no difference.
create table mail_budgets (
    address_hash bytea primary key, -- of kind and address
    asked        timestamptz[] not null
);
create index mail_budgets_age on mail_budgets ((asked[1]));

-- Since when links may be made for a user: what was asked for before their password or address changed, or before they were
-- signed out everywhere, is not answered any more, however long its mail has waited.
alter table users add column links_since timestamptz;
