drop table key_requests;
drop table key_steps;
