use std::time::Duration;

use super::*;

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn at(start: Instant, seconds: u64) -> Now {
    Now {
        instant: start + Duration::from_secs(seconds),
        clock: 1_000 + seconds,
    }
}

#[test]
fn restart_is_not_logged_and_longer_absence_is_logged_once() {
    let (mut absences, start, n2) = (Absences::default(), Instant::now(), node("n2"));
    assert_eq!(absences.change(&n2, true, false, at(start, 0)), None);
    assert!(absences.due(at(start, 10).instant).is_empty());
    assert_eq!(absences.change(&n2, true, true, at(start, 11)), None);
    assert_eq!(absences.due_at(), None);

    absences.change(&n2, true, false, at(start, 20));
    let due = absences.due_at().unwrap();
    assert_eq!(due, start + Duration::from_secs(20) + ABSENCE_LOG_DELAY);
    let lines = absences.due(due);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].kind(), LineKind::Absent);
    assert!(absences.due(due).is_empty(), "logged already");
    // A repeated event changes nothing.
    absences.change(&n2, true, false, at(start, 60));
    assert_eq!(absences.since(&n2).map(|since| since.seconds), Some(1_020));
    let line = absences.change(&n2, true, true, at(start, 80)).unwrap();
    assert_eq!(
        line,
        LogLine::new(
            LineKind::Returned,
            "node n2 is present again, after 60 s".into()
        )
        .with("node", "n2")
    );
}

#[test]
fn forgotten_node_is_dropped_without_a_line() {
    let (mut absences, start, n2) = (Absences::default(), Instant::now(), node("n2"));
    absences.change(&n2, true, false, at(start, 0));
    absences.due(at(start, 60).instant);
    assert_eq!(absences.change(&n2, false, false, at(start, 61)), None);
    assert_eq!(absences.all().len(), 0);
}

#[test]
fn node_absent_at_first_has_been_for_longer() {
    let (mut absences, start) = (Absences::default(), Instant::now());
    let [n2, n3] = [node("n2"), node("n3")];
    absences.reset([(&n2, false), (&n3, false)].into_iter(), at(start, 0));
    let since = AbsentSince {
        seconds: 1_000,
        or_longer: true,
    };
    assert_eq!(absences.since(&n2), Some(since));
    absences.due(at(start, 60).instant);
    let lines = absences.reset([(&n2, true), (&n3, false)].into_iter(), at(start, 90));
    assert_eq!(lines.len(), 1, "n2 is back");
    assert_eq!(absences.since(&n3), Some(since), "and n3 is not");
    let lines = absences.reset([(&n2, true)].into_iter(), at(start, 99));
    assert!(lines.is_empty(), "n3 was forgotten meanwhile");
}
