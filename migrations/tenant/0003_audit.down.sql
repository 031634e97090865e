drop table audit_seals;
drop table audit_head;
drop table audit_log;
