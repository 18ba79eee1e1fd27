-- Owner: concierge. What each concierge makes of each hub, on the path that devices use. Shown to
-- people; nothing moves because of it.
-- Lock impact: none, everything is new.
create table concierge.hub_observation (
    replica_id text        not null,
    fleet_id   text        not null,
    hub_id     text        not null,
    -- Where the concierge stands, for people: its region, or the replica itself.
    seen_from  text        not null,
    is_alive   boolean     not null,
    since      timestamptz not null,
    -- Why it looks dead; empty when it does not.
    detail     text        not null default '',
    seen_time  timestamptz not null default clock_timestamp(),
    -- Nobody has looked again after this: it says how it was then.
    good_until timestamptz not null,
    constraint concierge_hub_observation_pk primary key (fleet_id, hub_id, replica_id)
);
create index concierge_hub_observation_good on concierge.hub_observation (good_until);
