-- Owner: concierge. Who goes first when a fleet moves, and the few devices that are attached to a
-- standby for a limited time.
-- Lock impact: concierge.fleet for a moment; its rows are looked at once.
alter table concierge.fleet
    -- Classes of devices in the order in which they go: name, prefixes or percent, device_count.
    add column waves jsonb not null default '[]',
    add constraint concierge_fleet_waves check (
        case when jsonb_typeof(waves) = 'array' then jsonb_array_length(waves) <= 8 else false end);

create table concierge.canary (
    canary_id  uuid        not null,
    fleet_id   text        not null,
    -- The standby that the cohort is attached to.
    hub_id     text        not null,
    -- The epoch that it began in; in another one it is over.
    epoch      bigint      not null,
    -- Who takes part: so much of the fleet, or these, by hashes of their ids.
    percent    smallint,
    devices    text[]      not null default '{}',
    start_time timestamptz not null,
    -- When it ends by itself: devices hold the same time under our signature.
    until_time timestamptz not null,
    end_time   timestamptz,
    end_cause  text,
    constraint concierge_canary_pk primary key (canary_id),
    constraint concierge_canary_fleet_fk foreign key (fleet_id) references concierge.fleet,
    constraint concierge_canary_cohort check ((percent is null) = (cardinality(devices) > 0)),
    constraint concierge_canary_percent check (percent between 1 and 50),
    constraint concierge_canary_devices check (cardinality(devices) <= 200),
    constraint concierge_canary_life check (
        until_time > start_time and until_time - start_time <= interval '24 hours'),
    constraint concierge_canary_end check ((end_time is null) = (end_cause is null)),
    constraint concierge_canary_cause check (end_cause in (
        'expired', 'hub_not_ready', 'hub_dead', 'operation_running', 'epoch_changed', 'stopped'))
);
-- One at a time.
create unique index concierge_canary_one_running
    on concierge.canary (fleet_id) where end_time is null;
create index concierge_canary_newest on concierge.canary (fleet_id, start_time desc);
