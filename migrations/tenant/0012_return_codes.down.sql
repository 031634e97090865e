-- Without the column a session of an application would pass for one of a browser, and make codes for others.
delete from sessions where application is not null;
alter table sessions drop column application;
drop table return_codes;
