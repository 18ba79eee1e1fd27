//! What to do next, for every reason that a person can do something about.

/// The hint of a reason; none for a reason that explains itself, or is newer than this program.
pub(super) fn of(reason: &str) -> Option<&'static str> {
    let found = HINTS.iter().find(|(known, _)| *known == reason)?;
    Some(found.1)
}

/// By reason, in the order of the alphabet.
const HINTS: &[(&str, &str)] = &[
    (
        "ACTIVE_HUB_CHANGED",
        "the fleet moved: look at `hubshift fleet get` and decide again",
    ),
    (
        "ADAPTER_UNKNOWN",
        "the kind of hub that is known is `azure`",
    ),
    (
        "ADOPTION_ACTIVE",
        "`hubshift sync task ID --wait` follows the task that the message names",
    ),
    (
        "ADOPTION_APPLIED",
        "`hubshift adopt show PLAN --extras` shows what became of each; `adopt plan HUB` plans anew",
    ),
    ("ADOPTION_EXPIRED", "`hubshift adopt plan HUB` plans anew"),
    (
        "ADOPTION_NOT_FOUND",
        "`hubshift adopt plan HUB` makes one; name its hub with --hub",
    ),
    (
        "BACKUP_CORRUPT",
        "use another one of `hubshift backup list`, and take a new backup",
    ),
    (
        "BACKUP_KEY_MISSING",
        "give registry-sync the key that `key_id` names",
    ),
    ("BACKUP_NOT_FOUND", "`hubshift backup list` shows them"),
    (
        "BREAKER_TRIPPED",
        "look at the counts; if they are meant, `merge apply --override-breakers`",
    ),
    (
        "CANARY_NOT_RUNNING",
        "`hubshift fleet canary show` says how the last one ended",
    ),
    ("CANARY_RUNNING", "`hubshift fleet canary stop` ends it"),
    (
        "CHOICE_IMPOSSIBLE",
        "look at both values with `hubshift merge conflicts`; take the other one",
    ),
    (
        "CONCURRENT_CHANGE",
        "somebody changed it at the same time: look again, then repeat",
    ),
    (
        "CONFLICT_NOT_FOUND",
        "`hubshift merge conflicts` shows them",
    ),
    (
        "CONNECTION_NOT_FOUND",
        "`hubshift hub connect HUB --secret-ref file:PATH` makes one",
    ),
    (
        "DATABASE_UNAVAILABLE",
        "devices are answered meanwhile; see that PostgreSQL runs, then repeat",
    ),
    (
        "DEADLINE_EXCEEDED",
        "repeat it with the same request id, or give it longer with --timeout",
    ),
    ("DEVICE_EXISTS", "`hubshift device update` changes it"),
    (
        "DEVICE_NOT_FOUND",
        "ids are case-sensitive; `hubshift device list` shows them",
    ),
    (
        "DIGEST_MISMATCH",
        "`hubshift sync run --full --wait`, then `hubshift sync verify --wait`",
    ),
    ("DOCUMENT_NOT_FOUND", "`hubshift metadata list` shows them"),
    (
        "EPOCH_AHEAD",
        "the epoch is not known here yet; look at `hubshift fleet get`",
    ),
    (
        "EPOCH_CHANGED",
        "the fleet moved: look at `hubshift fleet get` and decide again",
    ),
    (
        "EPOCH_FORGOTTEN",
        "the database forgot a reign: the runbook's \"After a restore or a promotion\" says how to \
         recover",
    ),
    (
        "EPOCH_MOVED",
        "the fleet is moving: look at `hubshift fleet get`, then repeat",
    ),
    (
        "ETAG_MISMATCH",
        "it changed since it was read: read it again, then repeat",
    ),
    (
        "EXTRAS_LEFT",
        "`hubshift adopt show PLAN --extras` says why; `adopt plan HUB` plans them anew",
    ),
    (
        "EXTRAS_NOT_ACKNOWLEDGED",
        "--acknowledge takes `extra_count` of the plan: `hubshift adopt show PLAN` has it",
    ),
    (
        "FAILOVER_ACTIVE",
        "`hubshift failover watch` follows it, `hubshift failover cancel ID` stops it; when its \
         target is gone, `hubshift failover start --kind forced --supersede ID` takes over",
    ),
    (
        "FAILOVER_DONE",
        "it is over: `hubshift failover get ID` shows how",
    ),
    ("FAILOVER_NOT_FOUND", "`hubshift failover list` shows them"),
    (
        "FENCE_UNAVAILABLE",
        "`hubshift hub connect HUB … --management-ref file:PATH` says how to shut the hub out",
    ),
    (
        "FLEET_EXISTS",
        "`hubshift fleet get` shows it; choose another slug for a new one",
    ),
    (
        "FLEET_NOT_FOUND",
        "`hubshift fleet list` shows them; name one with --fleet",
    ),
    (
        "HUB_FENCED",
        "`hubshift hub unfence HUB` opens it; then give it its new connection string with \
         `hubshift hub connect`",
    ),
    (
        "HUB_HOST_MISMATCH",
        "`hubshift hub get HUB` shows the host that the connection string must name",
    ),
    (
        "HUB_HOST_TAKEN",
        "a host belongs to one fleet: two on one would delete each other's devices",
    ),
    (
        "HUB_NOT_DEPOSED",
        "only a hub that a forced failover left is shut out; see `hubshift hub list`",
    ),
    ("HUB_NOT_FOUND", "`hubshift hub list` shows them"),
    (
        "HUB_NOT_QUARANTINED",
        "only a hub that came back after a forced failover is merged",
    ),
    (
        "HUB_NOT_READY",
        "`hubshift hub list` shows the states; `hubshift sync run` and `sync verify` make one ready",
    ),
    (
        "HUB_NOT_STANDBY",
        "a restore or a pass goes to a standby; see `hubshift hub list`",
    ),
    ("HUB_REFUSED", "the hub's own words are in the message"),
    (
        "HUB_THROTTLED",
        "the hub wants fewer calls: try again later",
    ),
    (
        "HUB_UNAUTHORIZED",
        "check the policy and key in the connection string",
    ),
    (
        "HUB_UNREACHABLE",
        "`hubshift hub test HUB` tries again; if it is gone, force a failover",
    ),
    (
        "HUB_UNTRUSTED",
        "name the authority that signed the hub's certificate with --ca-ref file:PATH",
    ),
    (
        "INTERNAL",
        "the service's log has it; `-v` shows the request id",
    ),
    (
        "LOSS_NOT_ACKNOWLEDGED",
        "--acknowledge-loss takes `loss_bound` of --plan-only, or `any`",
    ),
    (
        "MANAGEMENT_REFUSED",
        "check the resource id in the secret of --management-ref",
    ),
    (
        "MANAGEMENT_UNAUTHORIZED",
        "check the application in the secret of --management-ref, and that it may write the hub as a \
         resource",
    ),
    (
        "MANAGEMENT_UNREACHABLE",
        "the management plane does not answer: try again later, or take the connection with \
         --skip-test",
    ),
    (
        "MANAGEMENT_UNTRUSTED",
        "name the authority that signed its certificate with --ca-ref file:PATH",
    ),
    (
        "MASS_DELETE",
        "much would be deleted: see that the source hub is whole, then `sync run --full`",
    ),
    (
        "MERGE_ACTIVE",
        "`hubshift merge get` shows it; apply it first",
    ),
    ("MERGE_NOT_FOUND", "`hubshift merge list` shows them"),
    (
        "NOT_SUPERSEDABLE",
        "`hubshift failover get ID` shows where it stands; before its commit it can be cancelled",
    ),
    ("OPERATION_RUNNING", "`hubshift failover get` shows it"),
    (
        "OUTCOME_UNKNOWN",
        "it may have happened: repeat it with the same request id",
    ),
    (
        "PARENT_MISSING",
        "create the parent at the target, or detach its children, then repeat",
    ),
    (
        "PAST_POINT_OF_NO_RETURN",
        "let it finish, then move the fleet back",
    ),
    (
        "PENDING_WRITES",
        "`hubshift sync status` shows what is pending; see that the standby answers",
    ),
    (
        "PLAN_CHANGED",
        "`hubshift merge get` shows the new plan; review it, then apply its plan_id",
    ),
    ("PLAN_NOT_READY", "`hubshift merge get` shows what stops it"),
    (
        "PRECHECK_BLOCKED",
        "`hubshift failover start … --plan-only` shows every check",
    ),
    (
        "REGISTRY_CLOSED",
        "a move is under way; `hubshift failover watch` follows it",
    ),
    (
        "REGISTRY_FROZEN",
        "a failover is under way; `hubshift failover watch` follows it",
    ),
    (
        "REGISTRY_SETTLING",
        "calls of the epoch before are waited for; try again in a moment",
    ),
    (
        "REQUEST_ID_REUSED",
        "leave out --request-id, or repeat exactly what it was first used for",
    ),
    (
        "REQUEST_IN_PROGRESS",
        "the first try is still at work: repeat it with the same request id",
    ),
    (
        "ROUTE_TOO_LONG",
        "try a percentage in the place of devices, or give waves fewer prefixes",
    ),
    (
        "SCHEMA_BEHIND",
        "run the migrations of this version (`concierge migrate`)",
    ),
    (
        "SCHEMA_TOO_NEW",
        "the database was migrated by a newer version: update this service",
    ),
    (
        "SECRET_UNREADABLE",
        "file: and env: are read by registry-sync, on its machine",
    ),
    (
        "SERVICE_UNREACHABLE",
        "see that it runs, and --concierge, --registry, --merge or --context",
    ),
    (
        "SOURCE_REWOUND",
        "the active hub was restored from an older state: force the move to the standby, or accept \
         it with `hubshift sync run --accept-source`",
    ),
    (
        "TARGET_FENCED",
        "`hubshift hub unfence HUB` opens the target; then plan again",
    ),
    (
        "TARGET_NOT_STANDBY",
        "it is no standby any more; see `hubshift hub list`, then plan again",
    ),
    ("TASK_NOT_FOUND", "`hubshift sync tasks` shows them"),
    (
        "UNIMPLEMENTED",
        "another service seems to listen at that address, or an older one",
    ),
    (
        "VERSION_MISMATCH",
        "it changed since it was read: read it again, then repeat",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_once_and_in_order() {
        assert!(HINTS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(of("FLEET_NOT_FOUND").is_some());
        assert_eq!(of("SOMETHING_NEW"), None);
    }
}
