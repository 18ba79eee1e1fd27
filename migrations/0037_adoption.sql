-- Owner: registry-sync. Plans to adopt a hub as a standby, and what is to become of the records
-- that only it has: nothing that nobody told.
-- Lock impact: none, everything is new.
create table registry.adoption (
    adoption_id  uuid        not null,
    fleet_id     text        not null,
    hub_id       text        not null,
    -- A plan of another reign is never applied.
    epoch        bigint      not null,
    -- What was found at both hubs, for a person.
    facts        jsonb       not null,
    extra_count  bigint      not null default 0,
    -- Over the fingerprints of the extras.
    extra_digest bytea       not null,
    -- What was told about the extras, and the last task that was to do it.
    action       text,
    apply_task   uuid,
    create_time  timestamptz not null default clock_timestamp(),
    expire_time  timestamptz not null,
    -- When every extra had an outcome.
    apply_time   timestamptz,
    constraint registry_adoption_pk primary key (adoption_id),
    constraint registry_adoption_digest check (length(extra_digest) = 16),
    constraint registry_adoption_action check (action in ('keep', 'quarantine', 'delete')),
    constraint registry_adoption_told check ((action is null) = (apply_task is null)),
    constraint registry_adoption_applied check (apply_time is null or action is not null)
);
create index registry_adoption_age on registry.adoption (create_time);

create table registry.adoption_extra (
    adoption_id     uuid    not null,
    device_id       text    not null,
    -- The device of a module, where that is an extra too: the module shares its fate.
    goes_with       text,
    -- As it was planned.
    generation_id   text    not null,
    identity_etag   text    not null,
    enabled         boolean not null,
    status_reason   text,
    credential_kind text    not null,
    iot_edge        boolean not null,
    parent          text,
    fingerprint     bytea   not null,
    -- What was told, and what became of it.
    action          text,
    outcome         text,
    detail          text    not null default '',
    outcome_time    timestamptz,
    constraint registry_adoption_extra_pk primary key (adoption_id, device_id),
    constraint registry_adoption_extra_adoption_fk foreign key (adoption_id)
        references registry.adoption on delete cascade,
    constraint registry_adoption_extra_kind
        check (credential_kind in ('sas', 'self_signed', 'ca', 'none')),
    constraint registry_adoption_extra_fingerprint check (length(fingerprint) = 16),
    constraint registry_adoption_extra_action check (action in ('keep', 'quarantine', 'delete')),
    constraint registry_adoption_extra_outcome
        check (outcome in ('kept', 'quarantined', 'deleted', 'stale', 'rejected')),
    constraint registry_adoption_extra_outcome_has_time
        check ((outcome is null) = (outcome_time is null))
);
-- What is still to be done, leaves before gateways.
create index registry_adoption_extra_open on registry.adoption_extra
    (adoption_id, iot_edge, device_id) where outcome is null and goes_with is null;
create index registry_adoption_extra_along on registry.adoption_extra (adoption_id, goes_with)
    where goes_with is not null;

-- What somebody decided to leave at a standby: no reason to call it unequal. Of the life that was
-- decided about, and while only the standby has it.
create view registry.accepted_extra as
    select distinct a.fleet_id, a.hub_id, e.device_id, e.generation_id
      from registry.adoption a join registry.adoption_extra e using (adoption_id)
     where e.outcome in ('kept', 'quarantined');
create index registry_adoption_extra_accepted on registry.adoption_extra (device_id, generation_id)
    where outcome in ('kept', 'quarantined');
