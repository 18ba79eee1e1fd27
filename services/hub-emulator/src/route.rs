//! Which operation a request asks for.
//!
//! Paths are matched by hand, because a device may be called `query` and clients may or may not
//! end a path with a slash.

use http::Method;
use hubshift_azure::path;

use crate::outage::CallKind;

/// What can be asked of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    GetDevice(String),
    PutDevice(String),
    DeleteDevice(String),
    ListDevices,
    BulkDevices,
    Query,
    GetTwin(String),
    PatchTwin(String),
    PutTwin(String),
    DeviceStatistics,
    ServiceStatistics,
    SendEvent(String),
}

/// Why a request asks for nothing that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No such path.
    Path,
    /// The path is there, the method is not.
    Method,
    /// The path is not UTF-8.
    Malformed,
}

impl Operation {
    /// The operation of a method and a path, the path as it came.
    pub(crate) fn find(method: &Method, raw_path: &str) -> Result<Self, NoRoute> {
        let segments = path::split(raw_path).ok_or(NoRoute::Malformed)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["devices"] => devices(method),
            // A device may have this name: only POST means the query.
            ["devices", "query"] if method == Method::POST => Ok(Self::Query),
            ["devices", id] => device(method, (*id).to_owned()),
            ["devices", id, "messages", "events"] => {
                only(method, &Method::POST, Self::SendEvent((*id).to_owned()))
            }
            ["twins", id] => twin(method, (*id).to_owned()),
            ["statistics", "devices"] => only(method, &Method::GET, Self::DeviceStatistics),
            ["statistics", "service"] => only(method, &Method::GET, Self::ServiceStatistics),
            _ => Err(NoRoute::Path),
        }
    }

    /// The name under which requests are counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::GetDevice(_) => "get_device",
            Self::PutDevice(_) => "put_device",
            Self::DeleteDevice(_) => "delete_device",
            Self::ListDevices => "list_devices",
            Self::BulkDevices => "bulk_devices",
            Self::Query => "query",
            Self::GetTwin(_) => "get_twin",
            Self::PatchTwin(_) => "patch_twin",
            Self::PutTwin(_) => "put_twin",
            Self::DeviceStatistics => "device_statistics",
            Self::ServiceStatistics => "service_statistics",
            Self::SendEvent(_) => "send_event",
        }
    }

    /// Who calls this, and whether it changes anything.
    pub(crate) fn kind(&self) -> CallKind {
        match self {
            Self::SendEvent(_) => CallKind::Device,
            Self::GetDevice(_)
            | Self::ListDevices
            | Self::Query
            | Self::GetTwin(_)
            | Self::DeviceStatistics
            | Self::ServiceStatistics => CallKind::Read,
            Self::PutDevice(_)
            | Self::DeleteDevice(_)
            | Self::BulkDevices
            | Self::PatchTwin(_)
            | Self::PutTwin(_) => CallKind::Write,
        }
    }
}

fn devices(method: &Method) -> Result<Operation, NoRoute> {
    match *method {
        Method::GET => Ok(Operation::ListDevices),
        Method::POST => Ok(Operation::BulkDevices),
        _ => Err(NoRoute::Method),
    }
}

fn device(method: &Method, id: String) -> Result<Operation, NoRoute> {
    match *method {
        Method::GET => Ok(Operation::GetDevice(id)),
        Method::PUT => Ok(Operation::PutDevice(id)),
        Method::DELETE => Ok(Operation::DeleteDevice(id)),
        _ => Err(NoRoute::Method),
    }
}

fn twin(method: &Method, id: String) -> Result<Operation, NoRoute> {
    match *method {
        Method::GET => Ok(Operation::GetTwin(id)),
        Method::PATCH => Ok(Operation::PatchTwin(id)),
        Method::PUT => Ok(Operation::PutTwin(id)),
        _ => Err(NoRoute::Method),
    }
}

fn only(method: &Method, allowed: &Method, operation: Operation) -> Result<Operation, NoRoute> {
    if method == allowed {
        Ok(operation)
    } else {
        Err(NoRoute::Method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_changes_nothing() {
        assert_eq!(
            Operation::find(&Method::GET, "/devices/"),
            Ok(Operation::ListDevices)
        );
        assert_eq!(
            Operation::find(&Method::POST, "/devices/"),
            Ok(Operation::BulkDevices)
        );
    }

    #[test]
    fn a_device_may_be_called_query() {
        let get = Operation::find(&Method::GET, "/devices/query");
        assert_eq!(get, Ok(Operation::GetDevice("query".to_owned())));
        assert_eq!(
            Operation::find(&Method::POST, "/devices/query"),
            Ok(Operation::Query)
        );
    }

    #[test]
    fn ids_are_decoded_by_segment() {
        let found = Operation::find(&Method::PUT, "/devices/a%2Fb%23");
        assert_eq!(found, Ok(Operation::PutDevice("a/b#".to_owned())));
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert_eq!(Operation::find(&Method::GET, "/jobs"), Err(NoRoute::Path));
        assert_eq!(
            Operation::find(&Method::PATCH, "/devices/d"),
            Err(NoRoute::Method)
        );
        assert_eq!(
            Operation::find(&Method::GET, "/devices/%FF"),
            Err(NoRoute::Malformed)
        );
    }
}
