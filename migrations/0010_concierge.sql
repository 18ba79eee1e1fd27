-- Owner: concierge. Fleets and hubs as devices and back ends know them, signed routes, epochs,
-- failovers, debts, what replicas serve, what devices echo, audit.
-- Lock impact: none, everything is new.
create table concierge.fleet (
    fleet_id            text        not null,
    display_name        text        not null default '',
    home_hub_id         text        not null,
    device_count        bigint      not null,
    utilisation_percent smallint    not null,
    poll_after_ms       bigint      not null,
    on_unreachable      text        not null default 'ask',
    -- Rises with every change of what devices are told.
    routing_version     bigint      not null default 1,
    revision            bigint      not null default 1,
    create_time         timestamptz not null default now(),
    update_time         timestamptz not null default now(),
    constraint concierge_fleet_pk primary key (fleet_id),
    constraint concierge_fleet_device_count check (device_count >= 1),
    constraint concierge_fleet_utilisation check (utilisation_percent between 1 and 100)
);

create table concierge.hub (
    fleet_id             text     not null,
    hub_id               text     not null,
    hub_index            smallint not null,
    region               text     not null,
    host                 text     not null,
    service_host         text     not null default '',
    event_endpoint       text     not null default '',
    labels               jsonb    not null default '{}',
    admission_per_second integer  not null,
    constraint concierge_hub_pk primary key (fleet_id, hub_id),
    constraint concierge_hub_fleet_fk foreign key (fleet_id) references concierge.fleet,
    constraint concierge_hub_admission check (admission_per_second >= 1)
);
-- Two fleets on one hub would delete each other's devices. Host names know no case.
create unique index concierge_hub_host_unique on concierge.hub (lower(host));

-- One signed route per fleet and routing version; renewed at half of its life.
create table concierge.route (
    fleet_id        text        not null,
    routing_version bigint      not null,
    epoch           bigint      not null,
    jws             text        not null,
    issue_time      timestamptz not null,
    not_after       timestamptz not null,
    constraint concierge_route_pk primary key (fleet_id, routing_version, issue_time),
    constraint concierge_route_fleet_fk foreign key (fleet_id) references concierge.fleet
);

create table concierge.epoch (
    fleet_id    text        not null,
    epoch       bigint      not null,
    hub_id      text        not null,
    failover_id uuid,
    -- What the target was known to hold: watermark and digest.
    cut         jsonb       not null default '{}',
    open_time   timestamptz not null default now(),
    close_time  timestamptz,
    constraint concierge_epoch_pk primary key (fleet_id, epoch),
    constraint concierge_epoch_fleet_fk foreign key (fleet_id) references concierge.fleet
);

create table concierge.failover (
    failover_id   uuid        not null,
    fleet_id      text        not null,
    kind          text        not null,
    source_hub_id text        not null,
    target_hub_id text        not null,
    plan          jsonb       not null,
    create_time   timestamptz not null default now(),
    constraint concierge_failover_pk primary key (failover_id),
    constraint concierge_failover_fleet_fk foreign key (fleet_id) references concierge.fleet,
    constraint concierge_failover_kind check (kind in ('planned', 'forced', 'failback'))
);
create index concierge_failover_newest on concierge.failover (fleet_id, create_time desc);

create table concierge.debt (
    fleet_id    text        not null,
    kind        text        not null,
    hub_id      text        not null,
    failover_id uuid        not null,
    epoch       bigint      not null,
    create_time timestamptz not null default now(),
    pay_time    timestamptz,
    constraint concierge_debt_pk primary key (fleet_id, kind, hub_id, epoch),
    constraint concierge_debt_fleet_fk foreign key (fleet_id) references concierge.fleet,
    constraint concierge_debt_kind check (kind in ('merge_required', 'fence_required'))
);

-- A replica's heartbeat, and the newest routing version and epoch that it serves per fleet:
-- PUBLISH reads it, and COMMIT exceeds its highest epoch (I26).
create table concierge.epoch_witness (
    replica_id      text        not null,
    fleet_id        text        not null,
    epoch           bigint      not null,
    routing_version bigint      not null,
    -- What devices told this replica lately.
    polling_count   bigint      not null default 0,
    attached_count  bigint      not null default 0,
    seen_time       timestamptz not null default now(),
    constraint concierge_epoch_witness_pk primary key (replica_id, fleet_id)
);

create table concierge.back_end (
    fleet_id         text        not null,
    back_end         text        not null,
    epoch            bigint      not null,
    acknowledge_time timestamptz not null default now(),
    constraint concierge_back_end_pk primary key (fleet_id, back_end),
    constraint concierge_back_end_fleet_fk foreign key (fleet_id) references concierge.fleet
);

create table concierge.audit (
    audit_id   bigint      generated always as identity,
    time       timestamptz not null default clock_timestamp(),
    caller     text        not null,
    method     text        not null,
    fleet_id   text        not null,
    request_id uuid,
    detail     text        not null default '',
    constraint concierge_audit_pk primary key (audit_id)
);
