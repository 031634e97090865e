-- One-time codes that lead people back to an application: its back end exchanges one for tokens. Of the code there is only
-- the SHA-256. A spent one stays for some minutes, so that its second use is seen for what it is.
create table return_codes (
    hash           bytea primary key,
    session_id     uuid not null, -- of the browser; a code dies with it
    return_url     text not null,
    code_challenge text not null, -- S256 (RFC 7636)
    expires_at     timestamptz not null,
    spent_by       uuid -- the session that it began
);
create index return_codes_session on return_codes (session_id);
create index return_codes_expiry on return_codes (expires_at);

-- The return URL of the application that a session belongs to; null for one that was signed in to directly.
alter table sessions add column application text;
