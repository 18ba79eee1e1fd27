//! Every operation once, as a client would that does it right.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::blobs::{self, Azurite};
use crate::common::{Hub, VERSION};
use crate::judge::{Seen, judge};
use crate::schema::Schemas;
use crate::spec::Spec;

/// No device is ever connected to the emulator: its methods cannot be reached.
const UNREACHABLE: [&str; 2] = ["Devices_InvokeMethod", "Modules_InvokeMethod"];

/// Devices that make an export last until it is cancelled.
const DEVICES: usize = 3_000;
/// How often a cancellation may come too late.
const TRIES: usize = 5;

/// What every operation answered.
pub(crate) struct Cover<'a> {
    hub: &'a Hub,
    spec: &'a Spec,
    schemas: &'a Schemas,
    pub(crate) answered: BTreeMap<String, u16>,
}

impl<'a> Cover<'a> {
    pub(crate) fn new(hub: &'a Hub, spec: &'a Spec, schemas: &'a Schemas) -> Self {
        Self {
            hub,
            spec,
            schemas,
            answered: BTreeMap::new(),
        }
    }

    /// Operations that were never answered 2xx, but for those that cannot be.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let ids = self.spec.operations.iter();
        ids.map(|operation| operation.id.as_str())
            .filter(|id| !self.answered.contains_key(*id) && !UNREACHABLE.contains(id))
            .collect()
    }

    /// Everything but jobs on blobs.
    pub(crate) async fn registry(&mut self) {
        self.devices().await;
        self.modules().await;
        self.twins_and_queries().await;
        self.configurations().await;
        self.scheduled_jobs().await;
        let method = json!({"methodName": "reboot", "payload": {}, "responseTimeoutInSeconds": 5});
        for (id, path) in [
            ("Devices_InvokeMethod", "/twins/seed-sas/methods"),
            (
                "Modules_InvokeMethod",
                "/twins/seed-sas/modules/seed-module/methods",
            ),
        ] {
            let seen = self.call(id, path, None, Some(method.clone())).await;
            let name = seen.header("iothub-errorcode");
            assert_eq!((seen.status, name), (404, "DeviceNotOnline"), "{id}");
        }
    }

    async fn devices(&mut self) {
        let body = json!({"deviceId": "cover", "status": "enabled"});
        let path = "/devices/cover";
        self.good("Devices_CreateOrUpdateIdentity", path, None, Some(body))
            .await;
        self.good("Devices_GetIdentity", path, None, None).await;
        self.good("Devices_GetDevices", "/devices", None, None)
            .await;
        let purge = "CloudToDeviceMessages_PurgeCloudToDeviceMessageQueue";
        self.good(purge, "/devices/cover/commands", None, None)
            .await;
        self.good("Devices_DeleteIdentity", path, Some("\"*\""), None)
            .await;
        let entries = json!([{"id": "cover", "importMode": "create", "status": "enabled"},
            {"id": "seed-ca", "importMode": "updateTwin", "status": "enabled", "tags": {"a": 1}}]);
        self.good(
            "BulkRegistry_UpdateRegistry",
            "/devices",
            None,
            Some(entries),
        )
        .await;
        self.good(
            "Statistics_GetDeviceStatistics",
            "/statistics/devices",
            None,
            None,
        )
        .await;
        self.good(
            "Statistics_GetServiceStatistics",
            "/statistics/service",
            None,
            None,
        )
        .await;
    }

    async fn modules(&mut self) {
        let body = json!({"deviceId": "seed-sas", "moduleId": "cover"});
        let path = "/devices/seed-sas/modules/cover";
        self.good("Modules_CreateOrUpdateIdentity", path, None, Some(body))
            .await;
        self.good("Modules_GetIdentity", path, None, None).await;
        self.good("Modules_DeleteIdentity", path, Some("\"*\""), None)
            .await;
        let list = "/devices/seed-edge/modules";
        self.good("Modules_GetModulesOnDevice", list, None, None)
            .await;
        let twin = "/twins/seed-sas/modules/seed-module";
        let body = json!({"tags": {"role": "probe"}, "properties": {"desired": {"rate": 1}}});
        self.good("Modules_GetTwin", twin, None, None).await;
        self.good("Modules_UpdateTwin", twin, None, Some(body.clone()))
            .await;
        self.good("Modules_ReplaceTwin", twin, Some("\"*\""), Some(body))
            .await;
    }

    async fn twins_and_queries(&mut self) {
        for device in crate::pools::SEEDED {
            let path = format!("/twins/{device}");
            let body = json!({"tags": {"site": "a"}, "properties": {"desired": {"rate": 1.5}}});
            self.good("Devices_GetTwin", &path, None, None).await;
            self.good("Devices_UpdateTwin", &path, None, Some(body.clone()))
                .await;
            self.good("Devices_ReplaceTwin", &path, Some("\"*\""), Some(body))
                .await;
        }
        for query in ["select * from devices", "select * from devices.modules"] {
            let body = json!({ "query": query });
            let seen = self
                .good("Query_GetTwins", "/devices/query", None, Some(body))
                .await;
            let rows = seen.json().unwrap();
            assert!(!rows.as_array().unwrap().is_empty(), "{query}");
        }
    }

    async fn configurations(&mut self) {
        let path = "/configurations/cover";
        let body = json!({"id": "cover", "schemaVersion": "1.0", "priority": 1,
            "targetCondition": "tags.site = 'a'", "labels": {"made": "here"},
            "content": {"deviceContent": {"properties.desired.rate": 5}},
            "metrics": {"queries": {"all": "SELECT deviceId FROM devices"}}});
        self.good("Configuration_CreateOrUpdate", path, None, Some(body))
            .await;
        self.good("Configuration_Get", path, None, None).await;
        self.good(
            "Configuration_GetConfigurations",
            "/configurations",
            None,
            None,
        )
        .await;
        let test = json!({"targetCondition": "tags.site = 'a'",
            "customMetricQueries": {"all": "SELECT deviceId FROM devices WHERE tags.site = 'a'"}});
        let queries = "/configurations/testQueries";
        self.good("Configuration_TestQueries", queries, None, Some(test))
            .await;
        let content = json!({"modulesContent": {
            "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {}}},
            "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {}}}}});
        let apply = "/devices/seed-edge/applyConfigurationContent";
        self.good(
            "Configuration_ApplyOnEdgeDevice",
            apply,
            None,
            Some(content),
        )
        .await;
        self.good("Configuration_Delete", path, Some("\"*\""), None)
            .await;
    }

    async fn scheduled_jobs(&mut self) {
        let job = json!({"jobId": "cover", "type": "scheduleUpdateTwin",
            "updateTwin": {"tags": {"scheduled": true}, "etag": "*"},
            "queryCondition": "deviceId = 'seed-sas'", "startTime": "2090-01-01T00:00:00Z",
            "maxExecutionTimeInSeconds": 60});
        let path = "/jobs/v2/cover";
        self.good("Jobs_CreateScheduledJob", path, None, Some(job))
            .await;
        self.good("Jobs_GetScheduledJob", path, None, None).await;
        self.good("Jobs_QueryScheduledJobs", "/jobs/v2/query", None, None)
            .await;
        self.good(
            "Jobs_CancelScheduledJob",
            "/jobs/v2/cover/cancel",
            None,
            None,
        )
        .await;
        self.good("Jobs_GetImportExportJobs", "/jobs", None, None)
            .await;
    }

    /// Export jobs, the last of them cancelled.
    pub(crate) async fn blob_jobs(&mut self, azurite: &Azurite) {
        for start in (0..DEVICES).step_by(100) {
            let entry = |number| json!({"id": format!("many-{number}"), "status": "enabled"});
            let entries: Vec<Value> = (start..start + 100).map(entry).collect();
            assert_eq!(self.hub.post("/devices", json!(entries)).await.code(), 200);
        }
        let cancel = "Jobs_CancelImportExportJob";
        for attempt in 0..TRIES {
            let container = azurite
                .container(&format!("cover-{attempt}"), blobs::ALL)
                .await;
            let order = json!({"type": "export", "outputBlobContainerUri": container.uri(),
                "excludeKeysInExport": false});
            let create = ("Jobs_CreateImportExportJob", "/jobs/create");
            let job = self.good(create.0, create.1, None, Some(order)).await;
            let job = job.json().unwrap();
            let path = format!("/jobs/{}", job["jobId"].as_str().unwrap());
            let cancelled = self.call(cancel, &path, None, None).await;
            self.good("Jobs_GetImportExportJob", &path, None, None)
                .await;
            if (200..300).contains(&cancelled.status) {
                return;
            }
        }
    }

    /// A call that must succeed.
    async fn good(
        &mut self,
        id: &str,
        path: &str,
        if_match: Option<&str>,
        body: Option<Value>,
    ) -> Seen {
        let seen = self.call(id, path, if_match, body).await;
        let text = String::from_utf8_lossy(&seen.body);
        assert!(
            (200..300).contains(&seen.status),
            "{id} {}: {text}",
            seen.status
        );
        seen
    }

    /// A call whose answer must be one that there may be.
    async fn call(
        &mut self,
        id: &str,
        path: &str,
        if_match: Option<&str>,
        body: Option<Value>,
    ) -> Seen {
        let operation = self.spec.find(id);
        let url = format!("{}?{VERSION}", self.hub.url(path));
        let mut request = self
            .hub
            .http
            .request(operation.method.clone(), url)
            .header("authorization", self.hub.owner_token().expose());
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let seen = Seen::read(request.send().await.unwrap()).await.unwrap();
        judge(operation, self.schemas, &seen).unwrap();
        if (200..300).contains(&seen.status) {
            self.answered.insert(id.to_owned(), seen.status);
        }
        seen
    }
}
