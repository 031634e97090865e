-- A trigger, so that no writer can forget to say that a tenant's keys have changed, also none of a version that knows nothing of it and
-- runs beside this one.
create function note_key_change() returns trigger language plpgsql as $$
begin
    if new.changed_at = old.changed_at then
        new.changed_at := now();
    end if;
    return new;
end $$;
create trigger key_steps_changed before update on key_steps for each row execute function note_key_change();
