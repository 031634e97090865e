drop index users_imported;
