-- Owner: merge. Merges with their items and conflicts, application documents with their branches,
-- the event inbox.
-- Lock impact: none, everything is new.
create table merge.merge (
    merge_id         uuid        not null,
    fleet_id         text        not null,
    primary_hub_id   text        not null,
    secondary_hub_id text        not null,
    epoch            bigint      not null,
    state            text        not null default 'planning',
    plan_id          text        not null default '',
    rewound          boolean     not null default false,
    rewound_evidence text        not null default '',
    counts           jsonb       not null default '{}',
    blockers         text[]      not null default '{}',
    -- Whether the plan changes more than one approval allows.
    is_tripped       boolean     not null default false,
    sources          text[]      not null default '{}',
    primary_digest   text        not null default '',
    secondary_digest text        not null default '',
    failure_reason   text,
    failure_message  text,
    -- Set by ApplyMerge: the plan that a person reviewed.
    approved_plan_id text,
    override_breakers boolean    not null default false,
    trace_id         text        not null default '',
    create_time      timestamptz not null default now(),
    close_time       timestamptz,
    constraint merge_merge_pk primary key (merge_id),
    constraint merge_merge_state check (state in
        ('planning', 'planned', 'applying', 'verifying', 'closed', 'failed')),
    constraint merge_merge_failed_has_reason
        check (state <> 'failed' or failure_reason is not null)
);
create unique index merge_merge_one_active on merge.merge (fleet_id)
    where state in ('planning', 'planned', 'applying', 'verifying');
create index merge_merge_newest on merge.merge (fleet_id, merge_id desc);

-- One device of a plan. The triple is kept, so that a resolution can merge the device again.
create table merge.item (
    merge_id         uuid     not null,
    device_id        text     not null,
    -- The round of planning that saw it last.
    round            integer  not null,
    -- How often it was applied in this merge.
    generation       integer  not null default 0,
    triple           jsonb    not null,
    merged           jsonb    not null,
    -- Sealed credentials by fingerprint, base64: merge holds no key that opens them.
    sealed           jsonb    not null default '{}',
    -- Fingerprints of what the hubs showed; empty for nothing.
    primary_before   bytea    not null,
    secondary_before bytea    not null,
    -- Fingerprint of what both hubs show since it was applied; empty for nothing, null when it is
    -- not known: a mix of both hubs' records was never seen before.
    applied_print    bytea,
    -- Nothing is written; and whether the hubs then stay different.
    is_withheld      boolean  not null,
    is_apart         boolean  not null,
    -- What is wrong with its place in the hierarchy.
    scope_fault      text,
    -- Parents are applied before children, deletions after all, children first.
    rank             integer  not null default 0,
    state            text     not null default 'planned',
    detail           text     not null default '',
    constraint merge_item_pk primary key (merge_id, device_id),
    constraint merge_item_merge_fk foreign key (merge_id) references merge.merge,
    constraint merge_item_state check (state in ('planned', 'applied', 'stale', 'rejected'))
);
create index merge_item_open on merge.item (merge_id, rank, device_id collate "C")
    where state = 'planned' and not is_withheld;
create index merge_item_by_device on merge.item (device_id, merge_id);

create table merge.rescued (
    merge_id  uuid  not null,
    device_id text  not null,
    record    jsonb not null,
    constraint merge_rescued_pk primary key (merge_id, device_id),
    constraint merge_rescued_merge_fk foreign key (merge_id) references merge.merge
);

create table merge.conflict (
    conflict_id     uuid        not null,
    fleet_id        text        not null,
    merge_id        uuid        not null,
    -- The device's id, or `namespace/key` of a document, or the own store's key.
    key             text        not null,
    scope           text        not null,
    kind            text        not null,
    path            text        not null,
    -- Values without secrets; null for nothing.
    base            jsonb,
    primary_value   jsonb,
    secondary_value jsonb,
    stamps          jsonb       not null default '{}',
    chosen          text,
    policy          text        not null,
    state           text        not null,
    resolver        text        not null default '',
    -- The generation of its item that it belongs to, and whether that was applied.
    generation      integer     not null default 0,
    is_applied      boolean     not null default false,
    create_time     timestamptz not null default now(),
    resolve_time    timestamptz,
    constraint merge_conflict_pk primary key (conflict_id),
    constraint merge_conflict_merge_fk foreign key (merge_id) references merge.merge,
    constraint merge_conflict_scope check (scope in ('device', 'document', 'source')),
    constraint merge_conflict_state
        check (state in ('auto', 'held', 'resolved', 'superseded')),
    constraint merge_conflict_chosen check (chosen is null or chosen in
        ('primary', 'secondary', 'base')),
    constraint merge_conflict_resolved_has_time
        check (state <> 'resolved' or resolve_time is not null)
);
create index merge_conflict_by_fleet on merge.conflict (fleet_id, key, path, conflict_id);
create index merge_conflict_by_merge on merge.conflict (merge_id, key);
create index merge_conflict_held on merge.conflict (fleet_id, key) where state = 'held';

create table merge.namespace (
    fleet_id     text not null,
    namespace_id text not null,
    policy       text not null,
    constraint merge_namespace_pk primary key (fleet_id, namespace_id)
);

create table merge.document (
    fleet_id      text        not null,
    namespace_id  text        not null,
    document_key  text        not null,
    device_id     text        not null default '',
    -- The line of the authority's writes, and concurrent writes that wait for the merge.
    main          jsonb       not null,
    aside         jsonb       not null default '[]',
    -- The main line as it was before the first write of this epoch: the merge base.
    base          jsonb,
    has_conflicts boolean     not null default false,
    create_time   timestamptz not null default now(),
    update_time   timestamptz not null default now(),
    constraint merge_document_pk primary key (fleet_id, namespace_id, document_key)
);
create index merge_document_aside on merge.document (fleet_id) where aside <> '[]'::jsonb;

-- Per origin: everything up to low_water was taken, and these above it.
create table merge.event_origin (
    fleet_id  text     not null,
    origin    text     not null,
    producer  text     not null,
    -- Every number up to this was taken, and those above it.
    low_water bigint   not null default 0,
    above     bigint[] not null default '{}',
    constraint merge_event_origin_pk primary key (fleet_id, origin, producer)
);

create table merge.event (
    fleet_id    text        not null,
    origin      text        not null,
    producer    text        not null,
    origin_seq  bigint      not null,
    event_id    text        not null,
    epoch       bigint      not null,
    device_id   text        not null,
    event_key   text        not null,
    key_version bigint      not null,
    kind        text        not null,
    payload     jsonb,
    payload_sha256 bytea    not null,
    state       text        not null,
    create_time timestamptz not null default now(),
    constraint merge_event_pk primary key (fleet_id, origin, producer, origin_seq),
    constraint merge_event_id_unique unique (fleet_id, origin, producer, event_id),
    constraint merge_event_kind check (kind in ('state', 'delta', 'delete')),
    constraint merge_event_state
        check (state in ('applied', 'stale', 'parked', 'late', 'merged'))
);
create index merge_event_open on merge.event (fleet_id, device_id, event_key)
    where state in ('parked', 'late');

create table merge.dead_letter (
    dead_letter_id uuid        not null,
    fleet_id       text        not null,
    origin         text        not null,
    producer       text        not null,
    event          jsonb       not null,
    reason         text        not null,
    create_time    timestamptz not null default now(),
    constraint merge_dead_letter_pk primary key (dead_letter_id)
);

-- What was applied of one key, from one origin: order.
create table merge.event_key (
    fleet_id      text    not null,
    origin        text    not null,
    producer      text    not null,
    device_id     text    not null,
    event_key     text    not null,
    last_version  bigint  not null,
    is_deleted    boolean not null default false,
    constraint merge_event_key_pk
        primary key (fleet_id, origin, producer, device_id, event_key)
);

-- The value that events of all origins built.
create table merge.event_state (
    fleet_id      text        not null,
    device_id     text        not null,
    event_key     text        not null,
    value         jsonb       not null default 'null',
    applied_count bigint      not null default 0,
    update_time   timestamptz not null default now(),
    constraint merge_event_state_pk primary key (fleet_id, device_id, event_key)
);
