-- Owner: request replay (crates/store), used by every service; a row belongs to the role that made
-- it. The same request id with the same body gets the stored answer; with another body an error.
-- Lock impact: none, everything is new.
create table idem.request (
    owner       name        not null default current_user,
    caller      text        not null,
    method      text        not null,
    request_id  uuid        not null,
    body_sha256 bytea       not null,
    response    bytea       not null,
    create_time timestamptz not null default now(),
    constraint idem_request_pk primary key (owner, caller, method, request_id)
);
create index idem_request_age on idem.request (create_time);
alter table idem.request enable row level security;
create policy idem_request_own on idem.request using (owner = current_user);
grant select, insert, delete on idem.request
    to hubshift_concierge, hubshift_registry, hubshift_merge;
