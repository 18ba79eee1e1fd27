//! What goes wrong around a concierge: each a clear error with a stable reason.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{FailoverKind, GetFailoverRequest, GetFleetRequest};
use hubshift_concierge::{StartError, start};
use hubshift_shell::BindError;
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::world::{Concierge, PATIENCE, World, concierge, config, order};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/nothing";

async fn is_serving(concierge: &Concierge) -> bool {
    let url = format!("http://{}", concierge.running.operator_addr);
    let channel = Channel::from_shared(url).unwrap().connect_lazy();
    let service = "hubshift.concierge.v1.FailoverService".to_owned();
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest { service })
        .await;
    answer.is_ok_and(|answer| answer.into_inner().status == 1)
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = World::new().await;
    let request = GetFleetRequest {
        name: "fleets/nobody".into(),
    };
    let refused = world
        .concierge
        .fleets
        .clone()
        .get_fleet(request)
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "FLEET_NOT_FOUND");
    let name = format!("fleets/acme/failovers/{}", uuid::Uuid::nil());
    let request = GetFailoverRequest { name };
    let refused = world
        .concierge
        .failovers
        .clone()
        .get_failover(request)
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "FAILOVER_NOT_FOUND");
    let mut unknown = order(FailoverKind::Planned);
    unknown.target_hub = "north".into();
    let refused = world.start(unknown).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "HUB_NOT_FOUND");
    let mut wrong = order(FailoverKind::Planned);
    (wrong.expected_active_hub, wrong.target_hub) = ("west".into(), "east".into());
    let refused = world.start(wrong).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "ACTIVE_HUB_CHANGED");
    let mut malformed = order(FailoverKind::Planned);
    malformed.request_id = "1".into();
    let refused = world.start(malformed).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "INVALID_REQUEST");
}

#[tokio::test]
async fn without_a_database_it_starts_and_operators_hear_what_to_do() {
    let concierge = concierge(NO_DATABASE, NOWHERE).await;
    let request = GetFleetRequest {
        name: "fleets/acme".into(),
    };
    let refused = concierge
        .fleets
        .clone()
        .get_fleet(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert_eq!(fault::reason(&refused), "DATABASE_UNAVAILABLE");
    assert!(!is_serving(&concierge).await);
    assert!(!concierge.running.task.is_finished());
    concierge.stop().await;
}

#[tokio::test]
async fn a_database_that_is_newer_is_not_worked_on() {
    let world = World::new().await;
    assert!(eventually(PATIENCE, || is_serving(&world.concierge)).await);
    let look = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&look)
    .await
    .unwrap();
    let refused = || async {
        let outcome = world.start(order(FailoverKind::Planned)).await;
        outcome.is_err_and(|status| fault::reason(&status) == "SCHEMA_TOO_NEW")
    };
    assert!(eventually(PATIENCE, refused).await);
    assert!(eventually(PATIENCE, || async { !is_serving(&world.concierge).await }).await);
}

#[tokio::test]
async fn operators_are_not_open_to_the_world() {
    let data = tempfile::tempdir().unwrap();
    let mut open = config(NO_DATABASE, NOWHERE, data.path());
    open.operator_listen = "0.0.0.0:0".parse().unwrap();
    let refused = start(open, CancellationToken::new()).await.unwrap_err();
    assert!(refused.is::<StartError>(), "{refused:#}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut config = config(NO_DATABASE, NOWHERE, data.path());
    config.operator_listen = taken.local_addr().unwrap();
    let refused = start(config, CancellationToken::new()).await.unwrap_err();
    assert!(refused.is::<BindError>(), "{refused:#}");
}

#[tokio::test]
async fn silent_services_block_a_planned_move() {
    let database = Database::fresh().await.unwrap();
    let concierge = concierge(&database.concierge_url(), NOWHERE).await;
    let fleet = crate::world::new_fleet("acme");
    concierge.fleets.clone().create_fleet(fleet).await.unwrap();
    let request = order(FailoverKind::Planned);
    let refused = concierge
        .failovers
        .clone()
        .start_failover(request)
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    assert!(
        refused.message().contains("registry-sync does not answer"),
        "{}",
        refused.message()
    );
}
