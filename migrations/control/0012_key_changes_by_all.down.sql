drop trigger key_steps_changed on key_steps;
drop function note_key_change();
