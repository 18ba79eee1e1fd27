//! What a gRPC listener says of its own health.

use std::time::Duration;

use hubshift_shell::grpc::{self, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::wait_for;

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    Yes,
    No,
    /// Nobody answers.
    Silent,
}

/// Asks the listener at `HOST:PORT` about its whole process.
pub(crate) fn serving(address: &str) -> Serving {
    wait_for(async {
        let endpoint = Endpoint {
            url: format!("http://{address}"),
            tls: None,
            timeout: Duration::from_secs(2),
        };
        let mut health = HealthClient::new(grpc::channel(&endpoint).unwrap());
        let request = HealthCheckRequest {
            service: String::new(),
        };
        match health
            .check(request)
            .await
            .map(|answer| answer.into_inner().status())
        {
            Ok(ServingStatus::Serving) => Serving::Yes,
            Ok(_) => Serving::No,
            Err(_) => Serving::Silent,
        }
    })
}
