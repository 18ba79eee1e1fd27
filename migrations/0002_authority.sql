-- Owner: concierge. The fence: who reigns over a fleet's registry. The others read it, and record
-- intents through authority.assert_intent, which holds the fleet's row for share until they
-- commit: no intent of an old epoch can commit after the epoch moved (I2).
-- Lock impact: none, everything is new.
create table authority.fleet (
    fleet_id        text        not null,
    epoch           bigint      not null,
    active_hub_id   text        not null,
    registry_mode   text        not null default 'open',
    freeze_id       uuid,
    frozen_until    timestamptz,
    operation       text,
    revision        bigint      not null default 1,
    create_time     timestamptz not null default now(),
    update_time     timestamptz not null default now(),
    constraint authority_fleet_pk primary key (fleet_id),
    constraint authority_fleet_epoch_positive check (epoch > 0),
    constraint authority_fleet_mode check (registry_mode in ('open', 'frozen', 'settling')),
    constraint authority_fleet_frozen_has_id
        check (registry_mode <> 'frozen' or (freeze_id is not null and frozen_until is not null))
);

create table authority.hub (
    fleet_id          text        not null,
    hub_id            text        not null,
    hub_index         smallint    not null,
    state             text        not null,
    -- The last epoch in which the hub was active; 0 for never.
    last_active_epoch bigint      not null default 0,
    call_deadline_ms  bigint      not null,
    read_lag_ms       bigint      not null default 0,
    update_time       timestamptz not null default now(),
    constraint authority_hub_pk primary key (fleet_id, hub_id),
    constraint authority_hub_fleet_fk foreign key (fleet_id) references authority.fleet,
    constraint authority_hub_index_unique unique (fleet_id, hub_index),
    constraint authority_hub_state check (state in (
        'provisioning', 'syncing', 'ready', 'active', 'draining', 'fenced', 'quarantined',
        'rewound', 'merging', 'retired'))
);
-- I1: one active hub per fleet.
create unique index authority_hub_one_active on authority.hub (fleet_id) where state = 'active';

grant select, insert, update on authority.fleet, authority.hub to hubshift_concierge;
grant select on authority.fleet, authority.hub to hubshift_registry, hubshift_merge;

-- Holds the fleet's row for share and refuses an intent that the fleet's epoch, its registry mode
-- or the hub's state does not allow. The same rule stands in Rust: domain's `intent_allowed`.
-- SQLSTATE HS001: epoch moved; HS002: registry closed; HS003: hub in the wrong state;
-- HS004: no such fleet or hub.
create function authority.assert_intent(
    p_fleet text, p_epoch bigint, p_hub text, p_purpose text
) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_epoch bigint;
    v_mode  text;
    v_until timestamptz;
    v_state text;
begin
    select epoch, registry_mode, frozen_until into v_epoch, v_mode, v_until
      from authority.fleet where fleet_id = p_fleet for share;
    if not found then
        raise exception 'fleet % does not exist', p_fleet using errcode = 'HS004';
    end if;
    select state into v_state from authority.hub where fleet_id = p_fleet and hub_id = p_hub;
    if not found then
        raise exception 'hub % does not exist', p_hub using errcode = 'HS004';
    end if;
    if v_epoch <> p_epoch then
        raise exception 'epoch is %, the intent is of %', v_epoch, p_epoch using errcode = 'HS001';
    end if;
    -- A freeze that ran out thaws by itself.
    if v_mode = 'frozen' and v_until <= clock_timestamp() then
        v_mode := 'open';
    end if;
    if p_purpose = 'provision' then
        if v_mode <> 'open' then
            raise exception 'registry is %', v_mode using errcode = 'HS002';
        end if;
        if v_state <> 'active' then
            raise exception 'hub is %', v_state using errcode = 'HS003';
        end if;
    elsif p_purpose = 'replicate' then
        if v_mode = 'settling' then
            raise exception 'registry is %', v_mode using errcode = 'HS002';
        end if;
        if v_state not in ('syncing', 'ready') then
            raise exception 'hub is %', v_state using errcode = 'HS003';
        end if;
    elsif p_purpose = 'merge' then
        if v_mode <> 'open' then
            raise exception 'registry is %', v_mode using errcode = 'HS002';
        end if;
        if v_state not in ('active', 'quarantined', 'rewound', 'merging') then
            raise exception 'hub is %', v_state using errcode = 'HS003';
        end if;
    elsif p_purpose = 'replay' then
        if v_mode <> 'settling' then
            raise exception 'registry is %', v_mode using errcode = 'HS002';
        end if;
        if v_state <> 'active' then
            raise exception 'hub is %', v_state using errcode = 'HS003';
        end if;
    else
        raise exception 'unknown purpose %', p_purpose using errcode = 'HS004';
    end if;
end
$$;
revoke all on function authority.assert_intent(text, bigint, text, text) from public;
grant execute on function authority.assert_intent(text, bigint, text, text) to hubshift_registry;
