//! Configurations: desired properties for all devices or modules that fulfil a condition.
//!
//! A configuration's content never changes; a hub answers a write that would change it with
//! success and leaves it as it is.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::fields::{FieldError, Fields, deserialize_by_fields};

/// A configuration, as `GET /configurations/{id}` gives it and `PUT` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// The id.
    pub id: String,
    /// The version of its form, as its author counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// What its author noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// What it sets. Needed on every write, and taken over by the first only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ConfigurationContent>,
    /// Whom it is for: a condition of the query language, or `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_condition: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time_utc: Option<String>,
    /// When it was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated_time_utc: Option<String>,
    /// Of two for the same device the higher one wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// What the hub counts by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_metrics: Option<ConfigurationMetrics>,
    /// What its author lets the hub count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ConfigurationMetrics>,
    /// Changes on every write. Unquoted here, and always quoted in headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// What a configuration sets: one of the three. Names in it are paths, as `properties.desired.a`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationContent {
    /// For devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_content: Option<Map<String, Value>>,
    /// For modules of an Edge device, by module id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_content: Option<Map<String, Value>>,
    /// For modules of other devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_content: Option<Map<String, Value>>,
}

/// Queries by name, and how many rows each had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigurationMetrics {
    /// The rows; empty until the hub has counted.
    pub results: BTreeMap<String, i64>,
    /// The queries.
    pub queries: BTreeMap<String, String>,
}

/// What `POST /configurations/testQueries` is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueriesTest {
    /// A target condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_condition: Option<String>,
    /// Queries of metrics by name.
    pub custom_metric_queries: BTreeMap<String, String>,
}

/// What it answers: what is wrong, nothing for what is right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueriesTestResult {
    /// What is wrong with the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_condition_error: Option<String>,
    /// What is wrong with queries, by name.
    pub custom_metric_query_errors: BTreeMap<String, String>,
}

impl Configuration {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            id: fields.string("id")?.unwrap_or_default(),
            schema_version: fields.string("schemaVersion")?,
            labels: fields.texts("labels")?,
            content: fields.nested("content", ConfigurationContent::read)?,
            target_condition: fields.string("targetCondition")?,
            created_time_utc: fields.string("createdTimeUtc")?,
            last_updated_time_utc: fields.string("lastUpdatedTimeUtc")?,
            priority: fields.small_integer("priority")?,
            system_metrics: fields.nested("systemMetrics", ConfigurationMetrics::read)?,
            metrics: fields.nested("metrics", ConfigurationMetrics::read)?,
            etag: fields.filled("etag")?,
        })
    }
}

impl ConfigurationContent {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            device_content: fields.object("deviceContent")?,
            modules_content: fields.object("modulesContent")?,
            module_content: fields.object("moduleContent")?,
        })
    }
}

impl ConfigurationMetrics {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let numbers = "must be an object of whole numbers";
        Ok(Self {
            results: fields
                .map("results", numbers, |value| value.as_i64())?
                .unwrap_or_default(),
            queries: fields.texts("queries")?.unwrap_or_default(),
        })
    }
}

impl QueriesTest {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            target_condition: fields.string("targetCondition")?,
            custom_metric_queries: fields.texts("customMetricQueries")?.unwrap_or_default(),
        })
    }
}

deserialize_by_fields!(Configuration);
deserialize_by_fields!(ConfigurationContent);
deserialize_by_fields!(QueriesTest);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_reads_back_what_it_writes() {
        let json = json!({
            "id": "c", "schemaVersion": "1.0", "labels": {"Author": "me"},
            "content": {"modulesContent": {"$edgeAgent": {"properties.desired": {"a": 1}}}},
            "targetCondition": "tags.site='a'", "priority": 7, "etag": "MA==",
            "createdTimeUtc": "2026-11-23T04:05:06Z", "lastUpdatedTimeUtc": "2026-11-23T04:05:06Z",
            "systemMetrics": {"results": {"targetedCount": 3}, "queries": {}},
            "metrics": {"results": {}, "queries": {"m": "select * from devices"}},
        });
        let read = Configuration::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
    }

    #[test]
    fn a_priority_has_32_bits_and_metrics_are_numbers() {
        let found = |value| Configuration::from_value(value).unwrap_err().to_string();
        let large = found(json!({"id": "c", "priority": 3_000_000_000_i64}));
        assert_eq!(large, "priority must be a whole number of 32 bits");
        let text = found(json!({"id": "c", "metrics": {"results": {"a": "1"}}}));
        assert_eq!(text, "metrics.results must be an object of whole numbers");
    }
}
