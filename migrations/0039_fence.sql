-- Owner: registry-sync for the hard fence, the concierge for its debts. A hub that a forced move left
-- is shut out through its management plane, and never while it reigns.
-- Lock impact: registry.connection and concierge.debt for a moment.
alter table registry.connection
    -- By reference, who asks the management plane and about which resource; empty: no hard fence.
    add column management_ref text not null default '';

create table registry.fence (
    fleet_id     text        not null,
    hub_id       text        not null,
    -- The epoch under which it was asked for.
    epoch        bigint      not null,
    -- requested: nothing of ours is in effect; unknown: an order to shut the hub is on its way, or
    -- nobody knows what became of it; done: it was seen shut, with keys that we made; lifting: it is
    -- to be opened again, and shut until it was seen open; lifted: a person opened it.
    state        text        not null,
    -- What works on it, or did last.
    task_id      uuid        not null,
    -- Orders so far. Whoever gave the last one says what became of it.
    order_number bigint      not null default 0,
    -- Whether the hub could be reached when it was ordered to be shut.
    was_open     boolean     not null default false,
    -- Until when the last order may still take effect; null: what became of it is known.
    call_until   timestamptz,
    -- Why the last try came to nothing.
    error        text        not null default '',
    request_time timestamptz not null default clock_timestamp(),
    done_time    timestamptz,
    constraint registry_fence_pk primary key (fleet_id, hub_id),
    constraint registry_fence_state
        check (state in ('requested', 'unknown', 'done', 'lifting', 'lifted'))
);

-- Whether a hub is shut out, or may be: nobody takes over at it. COMMIT asks this while it holds the
-- fleet's row for update, an order asserts its right while it holds the row for share: so no order
-- goes out to a hub that reigns, and no hub takes over while one may land. The same rule stands in
-- Rust: domain's `FenceState::may_be_shut`.
create function authority.is_fenced(p_fleet text, p_hub text) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select exists (
        select from registry.fence f
         where f.fleet_id = p_fleet and f.hub_id = p_hub
           and f.state in ('unknown', 'done', 'lifting'))
$$;
revoke all on function authority.is_fenced(text, text) from public;
grant execute on function authority.is_fenced(text, text) to hubshift_concierge;

-- Holds the fleet's row for share and refuses to shut out a hub that a forced move did not leave.
-- The same rule stands in Rust: domain's `may_be_fenced`. SQLSTATEs as of assert_intent.
create function authority.assert_fence(p_fleet text, p_epoch bigint, p_hub text) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_epoch bigint;
    v_state text;
begin
    select epoch into v_epoch from authority.fleet where fleet_id = p_fleet for share;
    if not found then
        raise exception 'fleet % does not exist', p_fleet using errcode = 'HS004';
    end if;
    select state into v_state from authority.hub where fleet_id = p_fleet and hub_id = p_hub;
    if not found then
        raise exception 'hub % does not exist', p_hub using errcode = 'HS004';
    end if;
    if v_epoch <> p_epoch then
        raise exception 'epoch is %, the fence is of %', v_epoch, p_epoch using errcode = 'HS001';
    end if;
    if authority.is_forgotten(p_fleet) then
        raise exception 'a higher epoch than % was served', v_epoch using errcode = 'HS005';
    end if;
    if v_state not in ('quarantined', 'rewound') then
        raise exception 'hub is %', v_state using errcode = 'HS003';
    end if;
end
$$;
revoke all on function authority.assert_fence(text, bigint, text) from public;
grant execute on function authority.assert_fence(text, bigint, text) to hubshift_registry;

-- A debt that is paid by trying: how often it was tried, when it is tried next, and why it is not
-- paid yet.
alter table concierge.debt
    add column attempt  integer     not null default 0,
    add column try_time timestamptz,
    add column error    text        not null default '';
