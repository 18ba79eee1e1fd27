//! Random registries, each copied through the connector from one hub to another: what
//! can carry over is equal afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod copy;
mod registry;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use registry::{Registry, registries};

/// How many registries; `cargo xtask round-trips` names a thousand.
fn cases() -> u32 {
    std::env::var("HUBSHIFT_ROUND_TRIPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(150)
}

#[test]
fn random_registries_survive_the_way_to_another_hub() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: cases(),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let mut seen = Seen::default();
    let counted = std::cell::RefCell::new(&mut seen);
    let result = runner.run(&registries(), |registry| {
        counted.borrow_mut().count(&registry);
        runtime.block_on(copy::copies(&registry))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, registry)) => panic!("{reason}\n{registry:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    seen.check();
}

/// How often each kind occurred: a generator that never makes an Edge device proves nothing.
#[derive(Debug, Default)]
struct Seen {
    devices: usize,
    sas: usize,
    self_signed: usize,
    authority: usize,
    disabled: usize,
    edge: usize,
    nested: usize,
    deep: usize,
    modules: usize,
    configurations: usize,
    large: usize,
    odd_ids: usize,
}

impl Seen {
    fn count(&mut self, registry: &Registry) {
        use hubshift_hub::Credentials;
        self.configurations += registry.configurations.len();
        for device in &registry.devices {
            let identity = &device.write.identity;
            self.devices += 1;
            self.modules += device.modules.len();
            match identity.credentials {
                Credentials::Sas { .. } => self.sas += 1,
                Credentials::SelfSigned { .. } => self.self_signed += 1,
                Credentials::Ca => self.authority += 1,
                Credentials::None => {}
            }
            self.disabled += usize::from(!identity.enabled);
            self.edge += usize::from(identity.iot_edge);
            self.nested += usize::from(identity.parent.is_some());
            self.deep += usize::from(registry.depth(&identity.device_id) >= 3);
            self.large += usize::from(device.write.desired.len() >= 8);
            let is_odd = |c: char| !c.is_ascii_alphanumeric();
            self.odd_ids += usize::from(identity.device_id.chars().any(is_odd));
        }
    }

    fn check(&self) {
        println!("{self:?}");
        let all = [
            self.sas,
            self.self_signed,
            self.authority,
            self.disabled,
            self.edge,
            self.nested,
            self.deep,
            self.modules,
            self.configurations,
            self.large,
            self.odd_ids,
        ];
        assert!(all.iter().all(|count| *count >= 10), "{self:?}");
    }
}
