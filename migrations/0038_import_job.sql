-- Owner: registry-sync. Import and export jobs that hubs carry out for us: calls that outlive their
-- deadline, so that each is known from before it is asked for until nothing of it is left.
-- Lock impact: none, everything is new.
create table registry.import_job (
    job_id        uuid        not null,
    fleet_id      text        not null,
    hub_id        text        not null,
    epoch         bigint      not null,
    -- idle: nothing of it is at the hub. starting: the hub was perhaps asked for it. running: the
    -- hub took it on. ended: nothing of it is at the hub, and nothing will be.
    state         text        not null default 'idle',
    -- By reference, where the SAS URI of the container is.
    container_ref text        not null,
    -- Files that were written, numbered from 1; their names are made of the job's id.
    file_count    integer     not null default 0,
    -- What the hub was asked last to read or write, and when. After the deadline that can't land.
    blob          text        not null default '',
    call_time     timestamptz,
    deadline      timestamptz,
    -- The hub's own name for it.
    hub_job_id    text,
    -- Whether blobs of it may be left: they hold keys.
    has_blobs     boolean     not null default true,
    create_time   timestamptz not null default clock_timestamp(),
    -- When whoever works with it last did: one that nobody works with is closed by others.
    update_time   timestamptz not null default clock_timestamp(),
    end_time      timestamptz,
    constraint registry_import_job_pk primary key (job_id),
    constraint registry_import_job_state
        check (state in ('idle', 'starting', 'running', 'ended')),
    constraint registry_import_job_starting_has_deadline
        check (state <> 'starting' or (call_time is not null and deadline is not null)),
    constraint registry_import_job_running_has_name
        check (state <> 'running' or hub_job_id is not null),
    constraint registry_import_job_ended_has_time check ((state = 'ended') = (end_time is not null))
);
-- A hub has one slot for such jobs, and a standby is filled by one pass.
create unique index registry_import_job_one_open on registry.import_job (fleet_id, hub_id)
    where state <> 'ended';
