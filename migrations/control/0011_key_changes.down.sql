drop index key_steps_changed;
alter table key_steps drop column changed_at;
