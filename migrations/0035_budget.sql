-- Owner: registry-sync. How much of a hub's quota may be used, and what all replicas together have
-- used of it: one timeline of calls per hub and class, of which each reserves a stretch.
-- Lock impact: registry.connection for a moment, while its rows are looked at once.
alter table registry.connection
    -- The hub's tier, `S1`; empty while nobody said it: limits are then learned from refusals.
    add column tier                  text    not null default '',
    add column units                 integer not null default 1,
    -- The part of the quota, and of the hub's daily messages, that may be used.
    add column share_percent         integer not null default 50,
    add column daily_message_percent integer not null default 5,
    -- By reference, where the SAS URI of a blob container is; empty: no import or export jobs.
    add column job_container_ref     text    not null default '',
    add constraint registry_connection_units check (units between 1 and 200),
    add constraint registry_connection_share check (share_percent between 1 and 100),
    add constraint registry_connection_daily check (daily_message_percent between 1 and 100);

create table registry.budget (
    fleet_id       text        not null,
    hub_id         text        not null,
    class          text        not null,
    -- When the next call that nobody reserved may begin.
    next_time      timestamptz not null,
    -- What a refusal left of the rate at that time, calls per second of all replicas together;
    -- null: the hub never refused.
    rate           double precision,
    rate_time      timestamptz,
    -- The hub asked for a pause: nobody reserves a call before this.
    pause_until    timestamptz,
    -- What the answers of this day (UTC) cost, in the hub's daily messages.
    day            date        not null default (clock_timestamp() at time zone 'utc')::date,
    messages_spent bigint      not null default 0,
    constraint registry_budget_pk primary key (fleet_id, hub_id, class),
    constraint registry_budget_class check (class in
        ('registry', 'query', 'twin_read', 'twin_write', 'job', 'configuration')),
    constraint registry_budget_rate check (rate > 0),
    constraint registry_budget_rate_has_time check ((rate is null) = (rate_time is null))
);

-- The rate that stands now: after a refusal it rises by `p_recovery` of the whole rate a second,
-- until it is whole again. `p_base`, the whole rate, is null where it is not known: what one refusal
-- left tells little of it then, so that the rate doubles in a sixtieth of that time, until the next
-- refusal; without one there is none.
create function registry.budget_rate(
    p_rate double precision, p_rate_time timestamptz,
    p_base double precision, p_recovery double precision
) returns double precision
language sql volatile as $$
    select case
        when p_rate is null then p_base
        when p_base is null then least(1e6, p_rate * power(2, least(60, 60 * p_recovery
             * greatest(0, extract(epoch from clock_timestamp() - p_rate_time)::double precision))))
        else least(p_base, p_rate + p_base * p_recovery
             * greatest(0, extract(epoch from clock_timestamp() - p_rate_time)::double precision))
    end
$$;
revoke all on function registry.budget_rate(
    double precision, timestamptz, double precision, double precision) from public;
grant execute on function registry.budget_rate(
    double precision, timestamptz, double precision, double precision) to hubshift_registry;
