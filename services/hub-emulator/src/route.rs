//! Which operation a request asks for.
//!
//! Paths are matched by hand, because a device may be called `query`, a configuration
//! `testQueries` and a job `create`, and clients may or may not end a path with a slash.

use http::Method;
use hubshift_azure::path;

use crate::operation::Operation;

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

type Found = Result<Operation, NoRoute>;

/// The operation of a method and a path, the path as it came.
pub(crate) fn find(method: &Method, raw_path: &str) -> Found {
    let segments = path::split(raw_path).ok_or(NoRoute::Malformed)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["devices", rest @ ..] => devices(method, rest),
        ["twins", rest @ ..] => twins(method, rest),
        ["configurations", rest @ ..] => configurations(method, rest),
        ["jobs", "v2", rest @ ..] => scheduled_jobs(method, rest),
        ["jobs", rest @ ..] => jobs(method, rest),
        ["statistics", "devices"] => only(method, &Method::GET, Operation::DeviceStatistics),
        ["statistics", "service"] => only(method, &Method::GET, Operation::ServiceStatistics),
        _ => Err(NoRoute::Path),
    }
}

fn devices(method: &Method, rest: &[&str]) -> Found {
    match rest {
        [] => match *method {
            Method::GET => Ok(Operation::ListDevices),
            Method::POST => Ok(Operation::BulkDevices),
            _ => Err(NoRoute::Method),
        },
        // A device may have this name: only POST means the query.
        ["query"] if method == Method::POST => Ok(Operation::Query),
        ["keys", "regenerate"] => only(method, &Method::POST, Operation::RegenerateKeys),
        [id] => match *method {
            Method::GET => Ok(Operation::GetDevice(owned(id))),
            Method::PUT => Ok(Operation::PutDevice(owned(id))),
            Method::DELETE => Ok(Operation::DeleteDevice(owned(id))),
            _ => Err(NoRoute::Method),
        },
        [id, "modules"] => only(method, &Method::GET, Operation::ListModules(owned(id))),
        [id, "modules", module] => match *method {
            Method::GET => Ok(Operation::GetModule(owned(id), owned(module))),
            Method::PUT => Ok(Operation::PutModule(owned(id), owned(module))),
            Method::DELETE => Ok(Operation::DeleteModule(owned(id), owned(module))),
            _ => Err(NoRoute::Method),
        },
        [id, "commands"] => only(method, &Method::DELETE, Operation::PurgeCommands(owned(id))),
        [id, "applyConfigurationContent"] => only(
            method,
            &Method::POST,
            Operation::ApplyConfiguration(owned(id)),
        ),
        [id, "messages", "events"] => only(method, &Method::POST, Operation::SendEvent(owned(id))),
        _ => Err(NoRoute::Path),
    }
}

fn twins(method: &Method, rest: &[&str]) -> Found {
    match rest {
        [id] => match *method {
            Method::GET => Ok(Operation::GetTwin(owned(id))),
            Method::PATCH => Ok(Operation::PatchTwin(owned(id))),
            Method::PUT => Ok(Operation::PutTwin(owned(id))),
            _ => Err(NoRoute::Method),
        },
        [id, "methods"] => only(method, &Method::POST, Operation::InvokeMethod(owned(id))),
        [id, "modules", module] => match *method {
            Method::GET => Ok(Operation::GetModuleTwin(owned(id), owned(module))),
            Method::PATCH => Ok(Operation::PatchModuleTwin(owned(id), owned(module))),
            Method::PUT => Ok(Operation::PutModuleTwin(owned(id), owned(module))),
            _ => Err(NoRoute::Method),
        },
        [id, "modules", module, "methods"] => only(
            method,
            &Method::POST,
            Operation::InvokeModuleMethod(owned(id), owned(module)),
        ),
        _ => Err(NoRoute::Path),
    }
}

fn configurations(method: &Method, rest: &[&str]) -> Found {
    match rest {
        [] => only(method, &Method::GET, Operation::ListConfigurations),
        ["testQueries"] if method == Method::POST => Ok(Operation::TestQueries),
        [id] => match *method {
            Method::GET => Ok(Operation::GetConfiguration(owned(id))),
            Method::PUT => Ok(Operation::PutConfiguration(owned(id))),
            Method::DELETE => Ok(Operation::DeleteConfiguration(owned(id))),
            _ => Err(NoRoute::Method),
        },
        _ => Err(NoRoute::Path),
    }
}

fn jobs(method: &Method, rest: &[&str]) -> Found {
    match rest {
        [] => only(method, &Method::GET, Operation::ListJobs),
        ["create"] if method == Method::POST => Ok(Operation::CreateJob),
        [id] => match *method {
            Method::GET => Ok(Operation::GetJob(owned(id))),
            Method::DELETE => Ok(Operation::CancelJob(owned(id))),
            _ => Err(NoRoute::Method),
        },
        _ => Err(NoRoute::Path),
    }
}

fn scheduled_jobs(method: &Method, rest: &[&str]) -> Found {
    match rest {
        // An import or export job may have this name.
        [] => jobs(method, &["v2"]),
        ["query"] if method == Method::GET => Ok(Operation::QueryScheduledJobs),
        [id] => match *method {
            Method::GET => Ok(Operation::GetScheduledJob(owned(id))),
            Method::PUT => Ok(Operation::PutScheduledJob(owned(id))),
            _ => Err(NoRoute::Method),
        },
        [id, "cancel"] => only(
            method,
            &Method::POST,
            Operation::CancelScheduledJob(owned(id)),
        ),
        _ => Err(NoRoute::Path),
    }
}

fn owned(text: &&str) -> String {
    (*text).to_owned()
}

fn only(method: &Method, allowed: &Method, operation: Operation) -> Found {
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
        assert_eq!(find(&Method::GET, "/devices/"), Ok(Operation::ListDevices));
        assert_eq!(find(&Method::POST, "/devices/"), Ok(Operation::BulkDevices));
    }

    #[test]
    fn a_device_may_be_called_query_and_a_job_create() {
        let get = find(&Method::GET, "/devices/query");
        assert_eq!(get, Ok(Operation::GetDevice("query".to_owned())));
        assert_eq!(find(&Method::POST, "/devices/query"), Ok(Operation::Query));
        let get = find(&Method::GET, "/jobs/create");
        assert_eq!(get, Ok(Operation::GetJob("create".to_owned())));
        assert_eq!(
            find(&Method::POST, "/jobs/create"),
            Ok(Operation::CreateJob)
        );
    }

    #[test]
    fn ids_are_decoded_by_segment() {
        let found = find(&Method::PUT, "/devices/a%2Fb%23/modules/m%20");
        assert_eq!(
            found,
            Ok(Operation::PutModule("a/b#".to_owned(), "m ".to_owned()))
        );
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert_eq!(find(&Method::GET, "/nothing"), Err(NoRoute::Path));
        assert_eq!(find(&Method::PATCH, "/devices/d"), Err(NoRoute::Method));
        assert_eq!(find(&Method::GET, "/devices/%FF"), Err(NoRoute::Malformed));
    }
}
