-- Owner: registry-sync. Connections, keys, what was seen at hubs, merge bases, tombstones, the
-- journal of writes through the authority, hub write intents, backups.
-- Lock impact: none, everything is new.
create table registry.connection (
    fleet_id     text        not null,
    hub_id       text        not null,
    adapter      text        not null,
    -- By reference, `file:PATH` or `env:NAME`: never the secret.
    secret_ref   text        not null,
    ca_ref       text        not null default '',
    host         text        not null,
    contact_time timestamptz,
    last_error   text        not null default '',
    revision     bigint      not null default 1,
    create_time  timestamptz not null default now(),
    update_time  timestamptz not null default now(),
    constraint registry_connection_pk primary key (fleet_id, hub_id)
);
-- One hub stands once in one fleet: a second connection to it would compare it with itself.
create unique index registry_connection_host_unique on registry.connection (lower(host));

-- Random per fleet, wrapped by the key-encryption key: rotating that changes no fingerprint.
create table registry.fleet_key (
    fleet_id    text        not null,
    kind        text        not null,
    kek_id      text        not null,
    wrapped     bytea       not null,
    create_time timestamptz not null default now(),
    constraint registry_fleet_key_pk primary key (fleet_id, kind),
    constraint registry_fleet_key_kind check (kind in ('fingerprint', 'data'))
);

create table registry.scan (
    scan_id       uuid        not null,
    fleet_id      text        not null,
    hub_id        text        not null,
    epoch         bigint      not null,
    state         text        not null default 'running',
    scanned_count bigint      not null default 0,
    digest        bytea,
    rewound       boolean     not null default false,
    evidence      text        not null default '',
    start_time    timestamptz not null default clock_timestamp(),
    end_time      timestamptz,
    constraint registry_scan_pk primary key (scan_id),
    constraint registry_scan_state check (state in ('running', 'complete', 'abandoned'))
);

-- What a hub was last seen to hold. Credentials are sealed.
create table registry.observed (
    fleet_id               text        not null,
    hub_id                 text        not null,
    device_id              text        not null,
    generation_id          text        not null,
    incarnation            integer     not null,
    identity_etag          text        not null,
    twin_etag              text        not null,
    twin_version           bigint      not null,
    desired_version        bigint      not null,
    enabled                boolean     not null,
    status_reason          text,
    credential_kind        text        not null,
    credential_fingerprint bytea       not null,
    sealed_credential      bytea       not null,
    iot_edge               boolean     not null,
    parent                 text,
    tags                   jsonb       not null,
    desired                jsonb       not null,
    canon_version          smallint    not null,
    fingerprint            bytea       not null,
    -- The last scan that listed it, and how many complete scans in a row did not.
    scan_id                uuid,
    missing_count          smallint    not null default 0,
    read_time              timestamptz not null,
    constraint registry_observed_pk primary key (fleet_id, hub_id, device_id),
    constraint registry_observed_kind
        check (credential_kind in ('sas', 'self_signed', 'ca', 'none')),
    constraint registry_observed_fingerprint check (length(fingerprint) = 16)
);

-- (hub, generation id) -> which life of the device it is.
create table registry.incarnation (
    fleet_id      text    not null,
    hub_id        text    not null,
    device_id     text    not null,
    generation_id text    not null,
    incarnation   integer not null,
    constraint registry_incarnation_pk primary key (fleet_id, hub_id, device_id, generation_id)
);

-- Last verified equal at the authority and at this hub: the merge base (I17).
create table registry.base (
    fleet_id               text        not null,
    hub_id                 text        not null,
    device_id              text        not null,
    incarnation            integer     not null,
    enabled                boolean     not null,
    status_reason          text,
    credential_kind        text        not null,
    credential_fingerprint bytea       not null,
    sealed_credential      bytea       not null,
    iot_edge               boolean     not null,
    parent                 text,
    tags                   jsonb       not null,
    desired                jsonb       not null,
    canon_version          smallint    not null,
    fingerprint            bytea       not null,
    stamp_epoch            bigint      not null,
    stamp_sequence         bigint      not null,
    stamp_origin           text        not null,
    -- The open merge conflict that holds the device; its effect at the hub is disabled.
    hold                   text,
    verify_time            timestamptz not null,
    constraint registry_base_pk primary key (fleet_id, hub_id, device_id),
    constraint registry_base_fingerprint check (length(fingerprint) = 16)
);

create table registry.tombstone (
    fleet_id     text        not null,
    device_id    text        not null,
    incarnation  integer     not null,
    reason       text        not null,
    epoch        bigint      not null,
    sequence     bigint      not null,
    origin       text        not null,
    -- Hubs at which the device is known to be gone.
    acked_by     text[]      not null default '{}',
    create_time  timestamptz not null default now(),
    constraint registry_tombstone_pk primary key (fleet_id, device_id, incarnation),
    constraint registry_tombstone_reason check (reason in ('deleted', 'revoked'))
);

-- Writes through the authority, in order. A row exists before the first call to a hub.
create table registry.journal (
    fleet_id               text        not null,
    sequence               bigint      generated always as identity,
    epoch                  bigint      not null,
    hub_id                 text        not null,
    operation              text        not null,
    device_id              text        not null,
    incarnation            integer,
    caller                 text        not null,
    request_id             uuid        not null,
    body_sha256            bytea       not null,
    -- The wanted record without secrets; null for a deletion.
    record                 jsonb,
    credential_kind        text,
    credential_fingerprint bytea,
    sealed_credential      bytea,
    fingerprint            bytea,
    expected_etag          text        not null default '',
    is_revoked             boolean     not null default false,
    state                  text        not null default 'intent',
    reason                 text        not null default '',
    detail                 text        not null default '',
    response               bytea,
    intent_time            timestamptz not null default clock_timestamp(),
    -- After this time no call of the intent can land any more.
    deadline               timestamptz not null,
    outcome_time           timestamptz,
    constraint registry_journal_pk primary key (fleet_id, sequence),
    constraint registry_journal_request_unique unique (fleet_id, caller, request_id),
    constraint registry_journal_operation check (operation in ('create', 'update', 'delete')),
    constraint registry_journal_state check (state in ('intent', 'done', 'rejected', 'unknown')),
    constraint registry_journal_done_has_time check (state = 'intent' or outcome_time is not null)
);
create index registry_journal_by_device on registry.journal (fleet_id, device_id, sequence desc);
create index registry_journal_open on registry.journal (fleet_id) where state in ('intent', 'unknown');

-- Every write to a hub, before it is made and with what became of it (I2).
create table registry.intent (
    intent_id    uuid        not null,
    fleet_id     text        not null,
    epoch        bigint      not null,
    hub_id       text        not null,
    purpose      text        not null,
    operation    text        not null,
    device_id    text        not null,
    start_time   timestamptz not null default clock_timestamp(),
    deadline     timestamptz not null,
    outcome      text,
    outcome_time timestamptz,
    constraint registry_intent_pk primary key (intent_id),
    constraint registry_intent_purpose
        check (purpose in ('provision', 'replicate', 'merge', 'replay')),
    constraint registry_intent_outcome
        check (outcome is null or outcome in ('done', 'already', 'rejected', 'unknown'))
);
create index registry_intent_open on registry.intent (fleet_id, hub_id)
    where outcome is null or outcome = 'unknown';

-- How far a standby is.
create table registry.replication (
    fleet_id        text        not null,
    hub_id          text        not null,
    -- It holds all that the active hub of this epoch held at this time.
    watermark       timestamptz,
    watermark_epoch bigint      not null default 0,
    verify_time     timestamptz,
    verify_epoch    bigint      not null default 0,
    blocked         text        not null default '',
    update_time     timestamptz not null default now(),
    constraint registry_replication_pk primary key (fleet_id, hub_id)
);

create table registry.backup (
    backup_id    uuid        not null,
    fleet_id     text        not null,
    hub_id       text        not null,
    epoch        bigint      not null,
    record_count bigint      not null,
    digest       bytea       not null,
    key_id       text        not null,
    stores       text[]      not null,
    manifest     jsonb       not null,
    create_time  timestamptz not null,
    verify_time  timestamptz,
    constraint registry_backup_pk primary key (backup_id)
);
create index registry_backup_newest on registry.backup (fleet_id, create_time desc);

-- The highest lease generation that called for an operation: a lower one is refused.
create table registry.step_fence (
    operation   text        not null,
    lease_gen   bigint      not null,
    update_time timestamptz not null default now(),
    constraint registry_step_fence_pk primary key (operation)
);
