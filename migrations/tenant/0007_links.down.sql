drop table mail_budgets;
drop table links;
