-- Roles of the cluster: one per service, and one that migrates. Run once per cluster, by a
-- superuser, before the migrations; running it again changes nothing. Roles are cluster-wide, so
-- migrations only grant to them. Passwords are set apart from this file:
--   alter role hubshift_concierge password '...';
do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'hubshift_migrator', 'hubshift_concierge', 'hubshift_registry', 'hubshift_merge'
    ] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I login', role_name);
        end if;
    end loop;
end
$$;
