-- Owner: registry-sync. Devices of which somebody said that they changed at a hub: to be read
-- soon. A hint that is lost costs time, not truth: passes look at everything anyway.
-- Lock impact: none, everything is new.
create table registry.hint (
    fleet_id   text        not null,
    hub_id     text        not null,
    device_id  text        not null,
    -- Whether the hub said that the device is gone.
    deleted    boolean     not null,
    -- By the hub's clock; of two hints of one device the later one counts.
    event_time timestamptz not null,
    -- Which news it is: a hint that came while an older one was followed stays.
    sequence   bigint      generated always as identity,
    constraint registry_hint_pk primary key (fleet_id, hub_id, device_id)
);
