drop trigger domains_announce_row on domains;
drop trigger domains_announce_change on domains;
create trigger domains_announce after insert or update or delete on domains
    for each row execute function announce_domain();
drop index domains_due;
alter table domains drop column checked_at, drop column failing_since, drop column misses, drop column lost_at, drop column next_check_at;
