//! Sends generated requests, many at once, and judges every answer.
//!
//! A request depends on the seed and its number alone, so that one that failed can be made again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hubshift_azure::sas;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::common::{Hub, key};
use crate::draft::Draft;
use crate::judge::{Seen, judge};
use crate::mutate::bend;
use crate::schema::Schemas;
use crate::spec::{Operation, Spec};

/// Requests under way at once, each on a connection that is kept.
const IN_FLIGHT: usize = 32;
/// A worker that has seen so many failures has seen enough.
const ENOUGH: usize = 3;

/// What the workers share.
pub(crate) struct Campaign {
    http: Client,
    base: String,
    token: HeaderValue,
    spec: Spec,
    schemas: Schemas,
    scope: String,
    seed: u64,
    count: usize,
    next: AtomicUsize,
}

/// What was answered.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) failures: Vec<String>,
    /// How often each status came.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// How often each operation was asked for.
    pub(crate) operations: BTreeMap<String, usize>,
}

impl Campaign {
    pub(crate) fn new(hub: &Hub, spec: Spec, scope: String, seed: u64, count: usize) -> Self {
        let expiry = OffsetDateTime::now_utc() + time::Duration::HOUR;
        let host = &hub.running.host;
        let token = sas::token(host, &key('A'), Some("iothubowner"), expiry).unwrap();
        let ca = Certificate::from_pem(hub.running.ca_pem.as_bytes()).unwrap();
        let http = Client::builder()
            .add_root_certificate(ca)
            .no_proxy()
            .http1_only()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Self {
            http,
            base: format!("https://{host}"),
            token: HeaderValue::from_str(token.expose()).unwrap(),
            schemas: Schemas::new(&spec),
            spec,
            scope,
            seed,
            count,
            next: AtomicUsize::new(0),
        }
    }

    /// Sends all requests.
    pub(crate) async fn run(self) -> Tally {
        let campaign = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            workers.spawn(Arc::clone(&campaign).work());
        }
        let mut all = Tally::default();
        while let Some(tally) = workers.join_next().await {
            all.add(tally.unwrap());
        }
        all
    }

    async fn work(self: Arc<Self>) -> Tally {
        let mut tally = Tally::default();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count || tally.failures.len() >= ENOUGH {
                return tally;
            }
            let (operation, draft) = self.draft(number);
            *tally.operations.entry(operation.id.clone()).or_default() += 1;
            match self.send(&draft).await {
                Ok(seen) => {
                    *tally.statuses.entry(seen.status).or_default() += 1;
                    if let Err(reason) = judge(operation, &self.schemas, &seen) {
                        tally.fail(number, &draft, &reason);
                    }
                }
                Err(error) => tally.fail(number, &draft, &format!("no answer: {error:?}")),
            }
        }
    }

    /// The operations take turns; everything else is chance.
    fn draft(&self, number: usize) -> (&Operation, Draft) {
        let operations = &self.spec.operations;
        let operation = &operations[number % operations.len()];
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(number as u64));
        let mut draft = Draft::new(operation, &self.spec, &self.scope, &mut rng);
        bend(&mut draft, &mut rng);
        (operation, draft)
    }

    async fn send(&self, draft: &Draft) -> reqwest::Result<Seen> {
        let url = format!("{}{}", self.base, draft.target());
        let mut request = self
            .http
            .request(draft.method.clone(), url)
            .header(AUTHORIZATION, self.token.clone());
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        if let Some(body) = draft.body() {
            request = request.body(body);
        }
        Seen::read(request.send().await?).await
    }
}

impl Tally {
    fn fail(&mut self, number: usize, draft: &Draft, reason: &str) {
        self.failures
            .push(format!("request {number}: {reason}\n  {draft:?}"));
    }

    fn add(&mut self, other: Self) {
        self.failures.extend(other.failures);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (operation, count) in other.operations {
            *self.operations.entry(operation).or_default() += count;
        }
    }
}
