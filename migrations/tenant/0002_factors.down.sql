drop table factor_failures;
drop table challenges;
drop table backup_codes;
drop table factors;
alter table users drop column factors;
drop table settings;
