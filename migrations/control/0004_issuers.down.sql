drop table former_issuers;
