-- Owner: concierge for the fence, registry-sync for its own tables. What keeps writes from being
-- made, or believed, under an authority or after a hub that is not what it was.
-- Lock impact: concierge.epoch_witness is not written while its index is made (one row per replica
-- and fleet); registry.observed is locked for a moment, registry.intent while its rows are looked
-- at once.

-- While any replica has served a higher epoch than a fleet's row has, the database forgot who
-- reigns: no intent is recorded until a move has committed an epoch above every one that was
-- served (I26).
create index concierge_epoch_witness_highest on concierge.epoch_witness (fleet_id, epoch);

create function authority.is_forgotten(p_fleet text) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select exists (
        select from concierge.epoch_witness w
          join authority.fleet f on f.fleet_id = w.fleet_id
         where w.fleet_id = p_fleet and w.epoch > f.epoch)
$$;
revoke all on function authority.is_forgotten(text) from public;
grant execute on function authority.is_forgotten(text)
    to hubshift_concierge, hubshift_registry, hubshift_merge;

-- As before, with HS005: the database forgot an epoch; and with the purpose of a restore, which old
-- records are written for: only while no operation counts on what a standby holds.
create or replace function authority.assert_intent(
    p_fleet text, p_epoch bigint, p_hub text, p_purpose text
) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_epoch bigint;
    v_mode  text;
    v_until timestamptz;
    v_state text;
    v_operation text;
begin
    select epoch, registry_mode, frozen_until, operation
      into v_epoch, v_mode, v_until, v_operation
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
    if authority.is_forgotten(p_fleet) then
        raise exception 'a higher epoch than % was served', v_epoch using errcode = 'HS005';
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
    elsif p_purpose = 'restore' then
        if v_mode <> 'open' then
            raise exception 'registry is %', v_mode using errcode = 'HS002';
        end if;
        if v_operation is not null then
            raise exception '% is under way', v_operation using errcode = 'HS002';
        end if;
        if v_state not in ('syncing', 'ready') then
            raise exception 'hub is %', v_state using errcode = 'HS003';
        end if;
    else
        raise exception 'unknown purpose %', p_purpose using errcode = 'HS004';
    end if;
end
$$;

alter table registry.intent drop constraint registry_intent_purpose;
alter table registry.intent add constraint registry_intent_purpose
    check (purpose in ('provision', 'replicate', 'merge', 'replay', 'restore'));

-- When a row was stored. What it says was seen before that: a read that began later and shows less
-- is one of an older state, not a slower one. Null in rows that were stored before this column was.
alter table registry.observed add column update_time timestamptz;

-- Where service calls to a hub go, as its fleet says it: a connection to another host would compare
-- and copy another registry.
create function authority.service_host(p_fleet text, p_hub text) returns text
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(nullif(h.service_host, ''), h.host)
      from concierge.hub h where h.fleet_id = p_fleet and h.hub_id = p_hub
$$;
revoke all on function authority.service_host(text, text) from public;
grant execute on function authority.service_host(text, text) to hubshift_registry;
