-- Owner: the workflow engine (crates/flow). A workflow past its point of no return can be set aside
-- for another one, and taken up again; its history says both.
-- Lock impact: flow.event exclusively, while its rows are looked at once.
alter table flow.event drop constraint flow_event_phase;
alter table flow.event add constraint flow_event_phase check (phase in
    ('started', 'succeeded', 'waiting', 'failed', 'undo_started', 'undone', 'undo_failed',
     'superseded', 'resumed'));
create index flow_workflow_superseded on flow.workflow (owner, kind, subject)
    where state = 'failed' and failure_reason = 'SUPERSEDED';
