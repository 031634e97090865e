-- How users want dates, times and words to look; null is unsaid.
alter table users
    add column locale text,
    add column timezone text,
    add column date_format text,
    add column time_format text;
