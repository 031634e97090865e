-- Mails to be written. A row is put here in the transaction of its cause and is gone once the mail server has the mail. It
-- says what is to be written to whom and never holds a link or a token: those are made when the mail is.
create table mails (
    id          uuid primary key,
    kind        text not null,
    user_id     uuid, -- no reference: of a deleted user it is told, too
    address     text not null,
    data        text not null, -- a JSON object of strings
    created_at  timestamptz not null,
    queued_at   timestamptz not null default clock_timestamp() -- by this server's clock, whichever replica wrote the row
);

-- Whoever puts a row here has asked for it to be sent: no writer can forget. The one name of another schema there is:
-- jobs of all tenants are worked from one place.
create trigger mails_posted after insert on mails for each row execute function jobs.mail_posted();
