drop table failures;
