//! Links within the repository lead to a file and a heading that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::file;

#[test]
fn links_of_all_pages_lead_to_existing_headings() {
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            links += 1;
            if !leads_somewhere(&page, &target) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(links > 20, "only {links} links were found");
}

#[test]
fn anchors_follow_the_rules_of_github() {
    for (heading, anchor) in [
        ("What is where", "what-is-where"),
        ("The `flatland` section", "the-flatland-section"),
        ("Install, upgrade: a runbook", "install-upgrade-a-runbook"),
        ("Replace etcd's certificates", "replace-etcds-certificates"),
        ("etcd_two-three", "etcd_two-three"),
    ] {
        assert_eq!(anchor_of(heading), anchor);
    }
}

pub(crate) fn pages() -> Vec<PathBuf> {
    let folder = |path: &str| {
        fs::read_dir(file(path))
            .unwrap()
            .map(|it| it.unwrap().path())
    };
    let all = folder("").chain(folder("docs")).chain(folder("bench"));
    all.filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect()
}

/// The targets of the page's links and pictures, without those outside of the repository.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    let ends = text.split("](").skip(1);
    let targets = ends.map(|rest| rest.split_once(')').map_or(rest, |(target, _)| target));
    targets
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// The page without its examples.
fn prose(text: &str) -> String {
    let outside = text.split("\n```").step_by(2);
    outside.collect()
}

fn leads_somewhere(page: &Path, target: &str) -> bool {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let path = match path {
        "" => page.to_owned(),
        path => page.parent().unwrap().join(path),
    };
    match anchor {
        None => path.exists(),
        Some(anchor) => fs::read_to_string(path).is_ok_and(|text| anchors(&text).contains(anchor)),
    }
}

fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor_of(line.trim_start_matches('#').trim()))
        .collect()
}

fn anchor_of(heading: &str) -> String {
    let kept = |it: &char| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_');
    let lower = heading.to_lowercase();
    lower
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}
