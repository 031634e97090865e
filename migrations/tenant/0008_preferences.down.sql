alter table users
    drop column locale,
    drop column timezone,
    drop column date_format,
    drop column time_format;
