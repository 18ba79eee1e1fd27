use super::*;

fn tried(action: ExtraAction, came: Result<Came, Trouble>) -> Tried {
    Tried {
        device: "d".into(),
        action,
        calls: 2,
        came,
    }
}

fn written(outcome: WriteOutcome) -> Result<Came, Trouble> {
    Ok(Came::Wrote(Box::new(outcome)))
}

fn refused(reason: &'static str) -> WriteOutcome {
    WriteOutcome::Rejected {
        reason,
        message: "no".into(),
    }
}

#[test]
fn an_extra_gets_an_outcome_only_when_it_is_certain() {
    let of = |action, outcome| {
        let concluded = conclusion(&tried(action, written(outcome)));
        concluded.map(|one| one.outcome)
    };
    let (quarantine, delete) = (ExtraAction::Quarantine, ExtraAction::Delete);
    let cases = [
        (
            quarantine,
            WriteOutcome::Applied(None),
            Some(ExtraOutcome::Quarantined),
        ),
        (
            delete,
            WriteOutcome::Already(None),
            Some(ExtraOutcome::Deleted),
        ),
        (delete, WriteOutcome::Stale, Some(ExtraOutcome::Stale)),
        (quarantine, WriteOutcome::Gone, Some(ExtraOutcome::Stale)),
        (delete, refused("HUB_REFUSED"), Some(ExtraOutcome::Rejected)),
        (
            delete,
            refused("DEVICE_DISABLED"),
            Some(ExtraOutcome::Rejected),
        ),
        (delete, refused("HUB_THROTTLED"), None),
        (delete, refused("TOO_LATE"), None),
        (delete, WriteOutcome::Unknown("no answer".into()), None),
    ];
    for (action, outcome, expected) in cases {
        let text = format!("{action} {outcome:?}");
        assert_eq!(of(action, outcome), expected, "{text}");
    }
    assert_eq!(conclusion(&tried(delete, Ok(Came::Left))), None);
}

#[test]
fn one_that_went_wrong_decides_how_the_batch_goes_on() {
    let delete = ExtraAction::Delete;
    let done = || tried(delete, written(WriteOutcome::Applied(None)));
    let known = Came::Known(ExtraOutcome::Stale, String::new());
    let turn = verdict(vec![done(), tried(delete, Ok(known))], 0).unwrap();
    assert_eq!(turn, Turn::More);
    let slow = tried(delete, written(refused("HUB_THROTTLED")));
    assert!(matches!(verdict(vec![done(), slow], 0), Ok(Turn::Pause(_))));
    let moved = Trouble::from(IntentError::EpochMoved);
    let failed = verdict(vec![done(), tried(delete, Err(moved))], 0);
    let Err(StepError::Rejected { reason, .. }) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(reason, "EPOCH_MOVED");
}
