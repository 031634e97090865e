drop trigger tenants_park on tenants;
drop function park_slug();
drop table parked_slugs;
