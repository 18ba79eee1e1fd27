-- Owner: the workflow engine (crates/flow), used by every service; a row belongs to the role that
-- made it.
-- Lock impact: none, everything is new.
create table flow.workflow (
    workflow_id      uuid        not null,
    owner            name        not null default current_user,
    kind             text        not null,
    -- What the workflow is about: at most one unfinished workflow per (kind, subject) when set.
    subject          text,
    fleet_id         text        not null,
    version          smallint    not null default 1,
    state            text        not null default 'running',
    step             text        not null,
    data             jsonb       not null,
    cancel_requested boolean     not null default false,
    -- Rises with every takeover; every write of an executor is guarded by it.
    fence            bigint      not null default 0,
    lease_owner      text,
    lease_until      timestamptz,
    wake_time        timestamptz not null default now(),
    attempt          integer     not null default 0,
    failure_reason   text,
    failure_message  text,
    traceparent      text,
    create_time      timestamptz not null default now(),
    update_time      timestamptz not null default now(),
    constraint flow_workflow_pk primary key (workflow_id),
    constraint flow_workflow_state check (state in
        ('running', 'unwinding', 'succeeded', 'failed', 'cancelled', 'stuck')),
    constraint flow_workflow_lease check ((lease_owner is null) = (lease_until is null)),
    constraint flow_workflow_failed_has_reason
        check (state <> 'failed' or failure_reason is not null)
);
create unique index flow_workflow_one_per_subject
    on flow.workflow (owner, kind, subject)
    where subject is not null and state in ('running', 'unwinding', 'stuck');
create index flow_workflow_due on flow.workflow (wake_time) where state in ('running', 'unwinding');
create index flow_workflow_by_fleet on flow.workflow (fleet_id, kind, create_time desc);

create table flow.event (
    workflow_id uuid        not null,
    owner       name        not null default current_user,
    seq         bigint      generated always as identity,
    step        text        not null,
    phase       text        not null,
    detail      text        not null default '',
    time        timestamptz not null default clock_timestamp(),
    constraint flow_event_pk primary key (workflow_id, seq),
    constraint flow_event_workflow_fk foreign key (workflow_id)
        references flow.workflow on delete cascade,
    constraint flow_event_phase check (phase in
        ('started', 'succeeded', 'waiting', 'failed', 'undo_started', 'undone', 'undo_failed'))
);

alter table flow.workflow enable row level security;
alter table flow.event enable row level security;
create policy flow_workflow_own on flow.workflow using (owner = current_user);
create policy flow_event_own on flow.event using (owner = current_user);
grant select, insert, update, delete on flow.workflow, flow.event
    to hubshift_concierge, hubshift_registry, hubshift_merge;
