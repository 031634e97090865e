drop table idempotency_keys;
drop table api_keys;
drop table sessions;
drop table users;
drop table signing_keys;
