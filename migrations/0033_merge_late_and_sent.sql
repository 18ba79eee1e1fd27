-- Owner: merge. An event of an epoch that is not known yet waits for the epoch, not for the events
-- before it. An approval is for the breakers that tripped. An item that was sent may have been
-- written, whatever was answered.
-- Lock impact: merge.event exclusively, while its rows are looked at once; merge.merge and
-- merge.item for a moment.
alter table merge.event drop constraint merge_event_state;
alter table merge.event add constraint merge_event_state check (state in
    ('applied', 'stale', 'parked', 'late', 'merged', 'ahead'));
create index merge_event_ahead on merge.event (fleet_id, origin, producer, origin_seq)
    where state = 'ahead';
update merge.event e set state = 'ahead'
  from authority.fleet f
 where f.fleet_id = e.fleet_id and e.state = 'parked' and e.epoch > f.epoch;

-- Parked events that a later version passed: they were left open.
update merge.event e set state = 'stale'
  from merge.event_key k
 where k.fleet_id = e.fleet_id and k.origin = e.origin and k.producer = e.producer
   and k.device_id = e.device_id and k.event_key = e.event_key
   and e.state = 'parked' and (e.key_version <= k.last_version or k.is_deleted);

-- The breakers that the plan trips, and those that a person let pass, each with its count.
alter table merge.merge
    add column tripped jsonb not null default '[]',
    add column approved_trips jsonb not null default '[]';

-- Whether a hub may have been written as this item says, since it was planned.
alter table merge.item add column was_sent boolean not null default false;
update merge.item i set was_sent = true
  from merge.merge m
 where m.merge_id = i.merge_id and m.state in ('applying', 'verifying')
   and i.state <> 'applied' and not i.is_withheld;
