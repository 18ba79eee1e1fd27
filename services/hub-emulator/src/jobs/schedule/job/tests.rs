//! What a scheduled job makes of a request, and of its devices.

use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

fn rows(job: &ScheduledJob) -> Vec<Value> {
    let rows = (0..job.devices()).map(|index| job.device_row(index));
    rows.collect::<Option<_>>().unwrap()
}

fn request(body: Value) -> JobRequest {
    JobRequest::from_value(body).unwrap()
}

fn read(body: Value) -> Result<ScheduledJob, Refusal> {
    ScheduledJob::read("j", request(body), NOW, CancellationToken::new())
}

fn twin_job() -> ScheduledJob {
    read(json!({
        "type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": {"tags": {"a": 1}},
    }))
    .unwrap()
}

#[test]
fn a_job_without_a_start_is_due_and_one_with_a_later_start_is_not() {
    assert_eq!(twin_job().status(), JobStatus::Queued);
    let method = |start: &str, seconds: i64| {
        read(json!({
            "type": "scheduleDeviceMethod", "queryCondition": "*", "startTime": start,
            "cloudToDeviceMethod": {"methodName": "m"}, "maxExecutionTimeInSeconds": seconds,
        }))
        .unwrap()
    };
    let later = method("2026-01-01T00:00:01Z", 7);
    assert_eq!(later.status(), JobStatus::Scheduled);
    assert_eq!(later.plan().limit, Some(Duration::from_secs(7)));
    let earlier = method("2025-12-31T23:00:00Z", 0);
    assert_eq!(earlier.status(), JobStatus::Queued);
    assert_eq!(earlier.plan().limit, None);
}

#[test]
fn what_is_missing_or_contradicts_itself_is_refused() {
    let twin = json!({"tags": {}});
    for (body, code) in [
        (json!({"queryCondition": "*"}), ErrorCode::ArgumentNull),
        (json!({"type": "export"}), ErrorCode::ArgumentInvalid),
        (
            json!({"type": "scheduleUpdateTwin", "queryCondition": "*"}),
            ErrorCode::ArgumentNull,
        ),
        (
            json!({"type": "scheduleDeviceMethod", "queryCondition": "*", "updateTwin": twin}),
            ErrorCode::ArgumentNull,
        ),
        (
            json!({"type": "scheduleUpdateTwin", "updateTwin": twin}),
            ErrorCode::ArgumentNull,
        ),
        (
            json!({"type": "scheduleUpdateTwin", "updateTwin": twin, "queryCondition": "*",
                "startTime": "soon"}),
            ErrorCode::ArgumentInvalid,
        ),
        (
            json!({"type": "scheduleUpdateTwin", "updateTwin": twin, "queryCondition": "*",
                "jobId": "other"}),
            ErrorCode::ArgumentInvalid,
        ),
    ] {
        let refusal = read(body.clone()).err().unwrap();
        assert_eq!(refusal.code, code, "{body}");
    }
}

#[test]
fn statistics_and_rows_follow_the_devices() {
    let mut job = twin_job();
    job.due(true);
    job.set_devices(&["a".to_owned(), "b".to_owned(), "c".to_owned()], NOW);
    job.device_done(0, Ok(()), NOW);
    let stale = Refusal::new(ErrorCode::PreconditionFailed, "stale");
    job.device_done(1, Err(stale), NOW);
    let counts = job.shown().device_job_statistics;
    assert_eq!((counts.device_count, counts.pending_count), (3, 1));
    assert_eq!((counts.succeeded_count, counts.failed_count), (1, 1));

    let rows = rows(&job);
    assert_eq!(rows[0]["status"], "completed");
    assert_eq!(rows[0]["jobType"], "scheduleUpdateTwin");
    let expected = json!({"code": "412001", "description": "stale"});
    assert_eq!(rows[1]["error"], expected);
    assert_eq!(rows[2]["status"], "pending");
    assert!(rows[2].get("endTimeUtc").is_none());
}

#[test]
fn a_cancel_ends_what_is_not_done_and_nothing_else() {
    let mut job = twin_job();
    job.due(true);
    job.set_devices(&["a".to_owned(), "b".to_owned()], NOW);
    job.device_done(0, Ok(()), NOW);
    job.cancel(NOW);
    assert_eq!(job.status(), JobStatus::Cancelled);
    let rows = rows(&job);
    assert_eq!(
        (&rows[0]["status"], &rows[1]["status"]),
        (&json!("completed"), &json!("canceled"))
    );

    let mut over = twin_job();
    over.end(None, NOW);
    over.cancel(NOW);
    assert_eq!(over.status(), JobStatus::Completed);
}
