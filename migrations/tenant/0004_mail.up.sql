-- Mails to be written. A row is put here in the transaction of its cause and is gone once the mail server has the mail. It
-- says what is to be written to whom and never holds a link or a token: those are made when the mail is.
create table mails (
    id          uuid primary key,
    kind        text not null,
    user_id     uuid, -- no reference: of a deleted user it is told, too
    address     text not null,
    data        text not null, -- a JSON object of strings
    created_at  timestamptz not null
);
