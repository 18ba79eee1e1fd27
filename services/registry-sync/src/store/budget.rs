//! `registry.budget`: what all replicas together use of each hub's quota.
//!
//! A class of calls has one timeline. Who reserves slots moves `next_time`, so that no two replicas
//! hold the same one; every time is the database's. What lies further ahead than anybody can have
//! reserved, or asked for a pause, is of a clock that was set back: it counts for nothing.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// A class of calls at a hub, and what its rate is reckoned from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) fleet: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) class: &'a str,
    /// Calls per second when nothing was refused; nothing where that is not known.
    pub(crate) whole: Option<f64>,
    /// The part of the whole rate by which it rises in a second after a refusal.
    pub(crate) recovery: f64,
}

/// What to reserve.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// So many slots.
    pub(crate) count: f64,
    /// How far back they may begin after a quiet time: so many slots, or so many seconds.
    pub(crate) burst: f64,
    pub(crate) catch_up: f64,
    /// How far ahead others may have reserved: so many seconds and so many slots.
    pub(crate) ahead: f64,
    pub(crate) ahead_slots: f64,
    /// The longest pause, in seconds.
    pub(crate) longest_pause: f64,
    /// Messages of the day that answers cost since the last time.
    pub(crate) messages: i64,
}

/// What was reserved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserved {
    /// Seconds from now until the last slot is over.
    pub(crate) end_in: f64,
    /// Slots per second; nothing where nothing is limited.
    pub(crate) rate: Option<f64>,
    /// Messages that this day's answers cost so far.
    pub(crate) spent: i64,
    /// Seconds since the day (UTC) began.
    pub(crate) of_day: f64,
}

/// Reserves slots, if the class has a rate, and adds up what answers cost.
pub(crate) async fn reserve(
    executor: impl PgExecutor<'_>,
    line: &Line<'_>,
    ask: &Ask,
) -> Result<Reserved, StoreError> {
    let reserved = sqlx::query_as!(
        Reserved,
        r#"insert into registry.budget as b (fleet_id, hub_id, class, next_time, messages_spent)
           values ($1, $2, $3,
                   clock_timestamp() + make_interval(secs => coalesce($4::float8 / $5::float8, 0)),
                   $8)
           on conflict on constraint registry_budget_pk do update
              set next_time = coalesce(
                      greatest(case when b.next_time <= clock_timestamp() + make_interval(secs =>
                                        $10::float8 + $11::float8
                                          / registry.budget_rate(b.rate, b.rate_time, $5, $9))
                                    then b.next_time end,
                               case when b.pause_until <= clock_timestamp()
                                                            + make_interval(secs => $12::float8)
                                    then b.pause_until end,
                               clock_timestamp() - make_interval(secs => greatest(
                                   $6::float8
                                     / registry.budget_rate(b.rate, b.rate_time, $5, $9),
                                   $7::float8)))
                        + make_interval(secs =>
                              $4 / registry.budget_rate(b.rate, b.rate_time, $5, $9)),
                      b.next_time),
                  day = excluded.day,
                  messages_spent = excluded.messages_spent
                      + case when b.day = excluded.day then b.messages_spent else 0 end
           returning extract(epoch from b.next_time - clock_timestamp())::float8 as "end_in!",
                     registry.budget_rate(b.rate, b.rate_time, $5, $9) as "rate?",
                     b.messages_spent as "spent!",
                     extract(epoch from clock_timestamp()
                         - date_trunc('day', clock_timestamp(), 'UTC'))::float8 as "of_day!""#,
        line.fleet,
        line.hub,
        line.class,
        ask.count,
        line.whole,
        ask.burst,
        ask.catch_up,
        ask.messages,
        line.recovery,
        ask.ahead,
        ask.ahead_slots,
        ask.longest_pause
    )
    .fetch_one(executor)
    .await?;
    Ok(reserved)
}

/// What a hub's refusal does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    /// The rate before, where none was known.
    pub(crate) rate: f64,
    /// The least rate that it may leave.
    pub(crate) least: f64,
    /// Seconds in which nobody calls, and the most that they can be.
    pub(crate) pause: f64,
    pub(crate) longest_pause: f64,
}

/// The hub refused a call: the rate is halved, and nobody calls for a while. A refusal within such a
/// pause is of a call that was under way when it began, and makes it longer only.
pub(crate) async fn refuse(
    executor: impl PgExecutor<'_>,
    line: &Line<'_>,
    refused: &Refused,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.budget as b
             (fleet_id, hub_id, class, next_time, rate, rate_time, pause_until)
         values ($1, $2, $3, clock_timestamp(), greatest($4::float8, $5::float8 / 2),
                 clock_timestamp() + make_interval(secs => $6::float8),
                 clock_timestamp() + make_interval(secs => $6))
         on conflict on constraint registry_budget_pk do update
            set rate = case when b.pause_until > clock_timestamp()
                                 and b.pause_until
                                     <= clock_timestamp() + make_interval(secs => $9::float8)
                            then b.rate
                            else greatest($4, coalesce(
                                registry.budget_rate(b.rate, b.rate_time, $7, $8), $5) / 2) end,
                rate_time = case when b.pause_until > clock_timestamp()
                                      and b.pause_until
                                          <= clock_timestamp() + make_interval(secs => $9)
                                 then b.rate_time
                                 else excluded.rate_time end,
                pause_until = greatest(case when b.pause_until
                                                 <= clock_timestamp() + make_interval(secs => $9)
                                            then b.pause_until end,
                                       excluded.pause_until)",
        line.fleet,
        line.hub,
        line.class,
        refused.least,
        refused.rate,
        refused.pause,
        line.whole,
        line.recovery,
        refused.longest_pause
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The rates that stand now at a hub, in the order of `classes`; nothing where none is known.
/// `whole` has what each is when nothing was refused, 0 where that is not known.
pub(crate) async fn rates(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    classes: &[String],
    whole: &[f64],
    recovery: f64,
) -> Result<Vec<Option<f64>>, StoreError> {
    let rates = sqlx::query_scalar!(
        r#"select registry.budget_rate(b.rate, b.rate_time, nullif(l.whole, 0), $5) as "rate?"
             from unnest($3::text[], $4::float8[]) with ordinality as l(class, whole, place)
             left join registry.budget b
               on b.fleet_id = $1 and b.hub_id = $2 and b.class = l.class
            order by l.place"#,
        fleet,
        hub,
        classes,
        whole,
        recovery
    )
    .fetch_all(executor)
    .await?;
    Ok(rates)
}
