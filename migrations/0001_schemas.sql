-- Owner: all. A schema per service, the schemas of the shared engine, and who may enter them.
-- Lock impact: none, everything is new.
create schema authority;
create schema concierge;
create schema registry;
create schema merge;
create schema flow;
create schema idem;

revoke all on schema public from public;
-- Services look up the schema's version before they work.
grant usage on schema public to hubshift_concierge, hubshift_registry, hubshift_merge;
do $$
begin
    if to_regclass('public._sqlx_migrations') is not null then
        grant select on public._sqlx_migrations
            to hubshift_concierge, hubshift_registry, hubshift_merge;
    end if;
end
$$;

grant usage on schema authority to hubshift_concierge, hubshift_registry, hubshift_merge;
grant usage on schema concierge to hubshift_concierge;
grant usage on schema registry to hubshift_registry;
grant usage on schema merge to hubshift_merge;
grant usage on schema flow to hubshift_concierge, hubshift_registry, hubshift_merge;
grant usage on schema idem to hubshift_concierge, hubshift_registry, hubshift_merge;

alter default privileges in schema concierge
    grant select, insert, update, delete on tables to hubshift_concierge;
alter default privileges in schema concierge grant usage on sequences to hubshift_concierge;
alter default privileges in schema registry
    grant select, insert, update, delete on tables to hubshift_registry;
alter default privileges in schema registry grant usage on sequences to hubshift_registry;
alter default privileges in schema merge
    grant select, insert, update, delete on tables to hubshift_merge;
alter default privileges in schema merge grant usage on sequences to hubshift_merge;
