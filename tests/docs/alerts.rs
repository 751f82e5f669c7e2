//! docs/monitoring.md says of every alert where to look.

use std::collections::BTreeSet;
use std::fs;

use crate::commands::code;
use crate::file;

#[test]
fn monitoring_page_has_every_alert_and_no_other() {
    let rules = fs::read_to_string(file("conf/monitoring/alerts.yaml")).unwrap();
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<_> = names.map(str::to_owned).collect();
    assert!(alerts.len() > 10, "{alerts:?}");

    let page = fs::read_to_string(file("docs/monitoring.md")).unwrap();
    let (_, table) = page
        .split_once("| alert | look at |\n| --- | --- |\n")
        .unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split(" | ").next());
    let listed: BTreeSet<_> = first_cells.flat_map(code).collect();
    assert_eq!(listed, alerts);
}
