//! Connections with a management plane: tried before they are taken, and by whom hubs are entered.

use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::FenceState;
use tonic::Code;

use crate::common::World;
use crate::plane::{CLIENT_SECRET, connection, connection_with, fence, managed, origin, secret};

#[tokio::test]
async fn a_management_plane_is_tried_before_it_is_taken() {
    let world = World::start_with(1.0, managed, |west| west).await;
    let none = fence(&world).await;
    assert!(!none.can_fence && none.state() == FenceState::Unspecified);
    let good = secret(&world);
    let cases = [
        (
            "SECRET_UNREADABLE",
            "HostName=h;SharedAccessKey=canary".to_owned(),
        ),
        (
            "SECRET_UNREADABLE",
            good.replace("Microsoft.Devices", "Microsoft.Web"),
        ),
        (
            "MANAGEMENT_UNAUTHORIZED",
            good.replace(CLIENT_SECRET, "canary-guess"),
        ),
        (
            "MANAGEMENT_UNAUTHORIZED",
            good.replace("ClientId=fence", "ClientId=data"),
        ),
        (
            "MANAGEMENT_REFUSED",
            good.replace("IotHubs/east", "IotHubs/west"),
        ),
        (
            "MANAGEMENT_UNREACHABLE",
            good.replace(&origin(&world), "https://127.0.0.1:1"),
        ),
    ];
    for (expected, secret) in cases {
        let refused = world
            .update_connection(connection_with(&world, &secret))
            .await
            .unwrap_err();
        assert_eq!(reason(&refused), expected, "{refused}");
        assert!(!refused.message().contains("canary"), "{refused}");
        let is_away = expected == "MANAGEMENT_UNREACHABLE";
        assert_eq!(refused.code() == Code::Unavailable, is_away, "{refused}");
    }
    let taken = world.update_connection(connection(&world)).await.unwrap();
    assert!(taken.management_ref.starts_with("file:"), "{taken:?}");
    assert!(fence(&world).await.can_fence);
    assert!(world.status_of("east").await.hard_fence);
    assert!(!world.status_of("west").await.hard_fence);
    world.stop().await;
}

#[tokio::test]
async fn the_plane_of_another_hub_is_not_taken() {
    let world = World::start_with(1.0, managed, managed).await;
    let west = &world.west.running;
    let strange = secret(&world).replace(
        &origin(&world),
        &format!("https://{}", west.management_addr.unwrap()),
    );
    let proposed = connection_with(&world, &strange);
    // Who vouches for west vouches for its plane.
    let ca = proposed.ca_ref.strip_prefix("file:").unwrap();
    let both = format!("{}{}", world.east.running.ca_pem, west.ca_pem);
    std::fs::write(ca, both).unwrap();
    let refused = world.update_connection(proposed).await.unwrap_err();
    assert_eq!(reason(&refused), "HUB_HOST_MISMATCH", "{refused}");
    assert!(refused.message().contains(&west.host), "{refused}");

    let untrusted = connection_with(&world, &strange);
    let refused = world.update_connection(untrusted).await.unwrap_err();
    assert_eq!(reason(&refused), "MANAGEMENT_UNTRUSTED", "{refused}");
    world.stop().await;
}

#[tokio::test]
async fn the_status_says_whose_calls_are_authorised_for_longer_than_they_may_take() {
    let world = World::start_with(1.0, |east| east, managed).await;
    let west = &world.west.running;
    let authority = format!("https://{}", west.management_addr.unwrap());
    let entra = format!(
        "HostName={};Authentication=ClientSecret;TenantId=tenant;ClientId=data;\
         ClientSecret={CLIENT_SECRET};AuthorityHost={authority}",
        west.host
    );
    let mut connection = pb::Connection {
        name: "fleets/acme/hubs/west/connection".into(),
        ..world.secrets("west", west)
    };
    let file = world.files.path().join("west.entra");
    std::fs::write(&file, entra).unwrap();
    connection.secret_ref = format!("file:{}", file.display());
    let name = connection.name.clone();
    world.update_connection(connection).await.unwrap();
    for name in [name, "fleets/acme/hubs/east/connection".to_owned()] {
        let test = pb::TestConnectionRequest { name };
        world
            .connections
            .clone()
            .test_connection(test)
            .await
            .unwrap();
    }
    assert!(world.status_of("west").await.authority_outlives_call);
    assert!(!world.status_of("east").await.authority_outlives_call);
    world.stop().await;
}
