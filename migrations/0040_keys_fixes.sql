-- Owner: registry-sync, but for merge.item: merge. What a standby cannot take, however often it is
-- tried, the indexes that finding it needs, kinds of records that a fleet goes without, and how modules
-- go along with their devices in a merge.
-- Lock impact: registry.observed and registry.hint take no writes while their indexes are made, for
-- which their rows are looked at once each; registry.connection and merge.item for a moment.
create index registry_observed_missing
    on registry.observed (fleet_id, hub_id) where missing_count > 0;
create index registry_observed_disabled
    on registry.observed (fleet_id, hub_id, device_id)
    where not enabled and missing_count = 0;
create index registry_observed_children
    on registry.observed (fleet_id, hub_id, parent) where parent is not null;
create index registry_hint_oldest on registry.hint (fleet_id, hub_id, sequence);

-- Records that do not carry over between two hubs as they are now, and why:
--   PARENT_MISSING   what hangs on a device that is an edge device at neither hub, and what hangs on
--                    that in turn: nobody can make the parent;
--   DEVICE_DISABLED  modules of a device that is disabled at one of the hubs: a hub that is entered
--                    with a shared access policy lets nobody read or write them.
-- They are tried, in case a hub takes them all the same, and they are not waited for. Some of them
-- may well be equal at both.
create function registry.left_out(p_fleet text, p_source text, p_target text)
returns table (device_id text, reason text)
language sql stable as $$
    with recursive stuck as (
        select s.device_id
          from registry.observed s
         where s.fleet_id = p_fleet and s.hub_id = p_source and s.missing_count = 0
           and s.parent is not null
           and not exists (
               select from registry.observed p
                where p.fleet_id = p_fleet and p.hub_id = p_source and p.device_id = s.parent
                  and p.missing_count = 0 and p.iot_edge)
           and not exists (
               select from registry.observed p
                where p.fleet_id = p_fleet and p.hub_id = p_target and p.device_id = s.parent
                  and p.missing_count = 0 and p.iot_edge)
           -- What hangs there already stays.
           and not exists (
               select from registry.observed t
                where t.fleet_id = p_fleet and t.hub_id = p_target and t.device_id = s.device_id
                  and t.missing_count = 0 and t.parent is not distinct from s.parent)
        union
        select c.device_id
          from stuck u
         cross join lateral (
               select s.device_id, s.parent
                 from registry.observed s
                where s.fleet_id = p_fleet and s.hub_id = p_source and s.missing_count = 0
                  and s.parent = u.device_id
               union all
               select s.device_id, s.parent
                 from registry.observed s
                where s.fleet_id = p_fleet and s.hub_id = p_source and s.missing_count = 0
                  and strpos(s.device_id, '/') > 1
                  and split_part(s.device_id, '/', 1) = u.device_id) c
         where not exists (
               select from registry.observed t
                where t.fleet_id = p_fleet and t.hub_id = p_target and t.device_id = u.device_id
                  and t.missing_count = 0)
           and not exists (
               select from registry.observed t
                where t.fleet_id = p_fleet and t.hub_id = p_target and t.device_id = c.device_id
                  and t.missing_count = 0 and t.parent is not distinct from c.parent)),
    found as (
        select k.device_id, 'PARENT_MISSING' as reason from stuck k
        union all
        select m.device_id, 'DEVICE_DISABLED'
          from registry.observed d
          join registry.observed m
            on m.fleet_id = p_fleet and m.hub_id in (p_source, p_target) and m.missing_count = 0
           and strpos(m.device_id, '/') > 1 and split_part(m.device_id, '/', 1) = d.device_id
         where d.fleet_id = p_fleet and d.hub_id in (p_source, p_target) and d.missing_count = 0
           and not d.enabled)
    select f.device_id, max(f.reason) from found f group by f.device_id
$$;
revoke all on function registry.left_out(text, text, text) from public;
grant execute on function registry.left_out(text, text, text) to hubshift_registry;

-- Modules that a hub refused, because their devices were disabled there: not asked for again while they
-- are and the hub is entered as it was.
create table registry.out_of_reach (
    fleet_id  text   not null,
    hub_id    text   not null,
    device_id text   not null,
    -- Of the connection that it was refused by.
    revision  bigint not null,
    constraint registry_out_of_reach_pk primary key (fleet_id, hub_id, device_id)
);

-- A kind that one hub of a fleet is not asked for is carried between none of its hubs.
alter table registry.connection
    add column without_modules        boolean not null default false,
    add column without_configurations boolean not null default false;

alter table merge.item
    -- A module of a device that was disabled at one of the hubs when it was planned.
    add column is_out_of_reach boolean not null default false,
    -- How a module goes along with its device: waits, because that is held, or primary or secondary,
    -- because an operator took the whole device from there.
    add column along           text,
    add constraint merge_item_along check (along in ('waits', 'primary', 'secondary'));
