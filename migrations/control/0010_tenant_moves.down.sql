drop table tenant_moves;
