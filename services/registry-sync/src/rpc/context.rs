//! On whose behalf a call is made: an executor that was overtaken is refused.
//!
//! Durable: `registry.step_fence`, the highest lease generation of each operation.

use hubshift_api::fault;
use hubshift_api::pb::types::StepContext;
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::store;

/// Lets a call in unless a later executor of its operation has called already. A call without a
/// context is nobody's step.
///
/// # Errors
/// `STALE_FENCE` (ABORTED).
pub(crate) async fn admit(pool: &PgPool, context: Option<&StepContext>) -> Result<(), Status> {
    let Some(context) = context.filter(|context| !context.operation.is_empty()) else {
        return Ok(());
    };
    let fence = store::step_fence::raise(pool, &context.operation, context.lease_gen).await?;
    if fence > context.lease_gen {
        let text = format!(
            "lease generation {} of {} was overtaken by {fence}; stop",
            context.lease_gen, context.operation
        );
        return Err(fault::status(Code::Aborted, "STALE_FENCE", text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hubshift_testkit::pg::{Database, Role};

    use super::*;

    fn context(lease_gen: i64) -> StepContext {
        StepContext {
            operation: "fleets/acme/failovers/f-1".into(),
            step: "drain".into(),
            lease_gen,
            epoch: 1024,
        }
    }

    #[tokio::test]
    async fn an_overtaken_executor_is_refused_and_the_newer_one_goes_on() {
        let database = Database::fresh().await.unwrap();
        let pool = database.connect(Role::Registry).await.unwrap();
        admit(&pool, None).await.unwrap();
        admit(&pool, Some(&context(3))).await.unwrap();
        admit(&pool, Some(&context(3))).await.unwrap();
        admit(&pool, Some(&context(4))).await.unwrap();
        let refused = admit(&pool, Some(&context(3))).await.unwrap_err();
        assert_eq!(refused.code(), Code::Aborted);
        assert_eq!(fault::reason(&refused), "STALE_FENCE");
    }
}
