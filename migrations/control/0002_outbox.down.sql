drop table audit_outbox;
