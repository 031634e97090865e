alter table users drop column links_since;
drop table mail_budgets;
drop table links;
