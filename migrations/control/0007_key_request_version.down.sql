alter table key_requests drop column after_version;
