alter table sessions drop column application;
drop table return_codes;
