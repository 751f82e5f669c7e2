use super::*;

fn new_records(count: usize) -> Vec<Ignored> {
    let one = |n| (format!("x{n}"), "this version knows no such key".to_owned());
    (0..count).map(one).collect()
}

#[test]
fn few_ignored_records_are_logged_one_by_one() {
    let mut records = IgnoredRecords::default();
    assert_eq!(records.log_lines(&new_records(3), 3).len(), 3);
    assert_eq!(records.log_lines(&new_records(13), 16).len(), 13);
    assert!(records.log_lines(&[], 16).is_empty());
}

#[test]
fn many_ignored_records_at_once_are_one_line() {
    let lines = IgnoredRecords::default().log_lines(&new_records(17), 100_000);
    assert_eq!(lines.len(), 1);
    assert!(format!("{lines:?}").contains("100000 records in the registry are ignored"));
}

#[test]
fn many_ignored_records_in_sequence_are_few_lines() {
    let mut records = IgnoredRecords::default();
    let lines = (1..=100_000).map(|total| records.log_lines(&new_records(1), total).len());
    assert_eq!(
        lines.sum::<usize>(),
        MAX_LOGGED + 4,
        "and at 17, 170, 1700, 17000"
    );
}

#[test]
fn ignored_record_after_none_is_logged_again() {
    let mut records = IgnoredRecords::default();
    records.log_lines(&new_records(17), 100);
    assert!(records.log_lines(&new_records(1), 101).is_empty());
    records.log_lines(&[], 0);
    assert_eq!(records.log_lines(&new_records(1), 1).len(), 1);
}
