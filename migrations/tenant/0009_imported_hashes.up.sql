-- Finds a password hash that another system made, as long as there is one: what logins cost depends on it (see
-- identity/transfer/imported.go). It holds those hashes alone, so it is empty where nothing was imported or everybody has signed in.
create index users_imported on users (id) where password_hash like '$sealed$%';
