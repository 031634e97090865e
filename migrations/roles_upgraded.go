package migrations

// ownTenants makes the roles of a database's tenants the provisioner's again. Up to Postgres 15 whoever may create roles has the
// say over all of them; from 16 on only over those that it has the admin option of, which it gets when it creates one. After
// pg_upgrade from 15, or where a superuser restored the roles of a dump, nobody has it, and no tenant could be deleted or moved.
//
// A membership is taken away only by who gave it, so that of the runtime role has to be the provisioner's gift, too.
//
// The names are held against what gatehouse makes: the script is a superuser's, and a schema that the provisioner called after
// a superuser must not make it that superuser's master. The rest is text until it is run, which 15 could not parse.
const ownTenants = `
declare tenant name; giver name; begin
    if current_setting('server_version_num')::int < 160000 then return; end if;
    for tenant in select r.rolname from pg_roles r join pg_namespace n on n.nspname = r.rolname join pg_roles p on p.oid = n.nspowner
        where p.rolname = {provisioner_text} and r.rolname ~ '^(t|blank)_[0-9a-f]{32}$' and not (r.rolsuper or r.rolcanlogin or r.rolcreaterole or r.rolbypassrls)
            and not exists (select from pg_auth_members m where m.roleid = r.oid and m.member = p.oid and m.admin_option) loop
        execute format('grant %I to %I with admin true, inherit false, set false', tenant, {provisioner_text});
        for giver in select distinct g.rolname from pg_auth_members m join pg_roles g on g.oid = m.grantor
            where m.roleid = to_regrole(quote_ident(tenant)) and m.member = to_regrole(quote_ident({runtime_text})) loop
            execute format('revoke %I from %I granted by %I', tenant, {runtime_text}, giver);
            execute format('grant %I to %I granted by %I', tenant, {runtime_text}, {provisioner_text});
        end loop;
    end loop;
end`
