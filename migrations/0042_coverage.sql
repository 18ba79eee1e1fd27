-- Owner: concierge. How many different devices of a fleet ask any concierge: a sketch per replica, and
-- the key that all of them hash devices with, so that their union counts each device once.
-- Lock impact: concierge.fleet is written anew, row by row with a key of its own; it has few rows.
alter table concierge.fleet
    -- 122 random bits. Not a secret that anything hangs on: who knows it can make device ids that are
    -- counted as one.
    add column sketch_key uuid not null default gen_random_uuid();

create table concierge.coverage (
    fleet_id   text        not null,
    replica_id text        not null,
    -- At most 12,289 bytes; random ones, which nothing makes shorter.
    sketch     bytea       not null,
    write_time timestamptz not null default clock_timestamp(),
    constraint concierge_coverage_pk primary key (fleet_id, replica_id)
);
alter table concierge.coverage alter column sketch set storage external;
