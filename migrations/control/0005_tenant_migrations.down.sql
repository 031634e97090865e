drop table tenant_migrations;
