package mail

const insertMail = `insert into mails (id, kind, user_id, address, data, created_at) values ($1, $2, $3, $4, $5, $6)`
