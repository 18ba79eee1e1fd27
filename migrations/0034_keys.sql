-- Owner: registry-sync. Beside devices, modules and configurations are records: their keys have a
-- slash (`device/module`, `/configurations/id`), which no id has. Modules have a manager, and are
-- found by their device.
-- Lock impact: registry.observed takes no writes while its index is made, for which its rows are
-- looked at once; registry.base for a moment.
alter table registry.observed add column managed_by text;
alter table registry.base add column managed_by text;

create index registry_observed_modules
    on registry.observed (fleet_id, hub_id, split_part(device_id, '/', 1))
    where strpos(device_id, '/') > 1;
