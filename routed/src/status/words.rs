//! What is shown, in words.

use wire::node::NodeName;

use super::Since;
use crate::hold::Distrust;

/// As many of a kind are written out.
const MOST: usize = 5;

/// The first of them, and a line that says how many `more` there are.
pub(super) fn few(all: impl Iterator<Item = String>, more: &str) -> Vec<String> {
    let mut all = all.fuse();
    let mut lines: Vec<_> = all.by_ref().take(MOST).collect();
    match all.count() {
        0 => {}
        count => lines.push(format!("{count} {more}")),
    }
    lines
}

/// Why the registry is not believed.
pub(super) fn distrust(why: &Distrust, held: usize) -> String {
    format!("{why}: nothing is withdrawn on its word; routes held against it: {held}")
}

/// A node that shows no sign of life.
pub(super) fn absent(node: &NodeName, since: Since) -> String {
    let or_longer = if since.or_longer { " at least" } else { "" };
    let date = crate::time::date(since.seconds);
    format!("node {node} has been absent since{or_longer} {date}; its routes stay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_of_a_kind_are_counted() {
        let lines = |count: usize| few((0..count).map(|n| n.to_string()), "more things");
        assert_eq!(lines(0).len(), 0);
        assert_eq!(lines(5).len(), 5);
        assert_eq!(lines(7)[4..], ["4", "2 more things"]);
    }

    #[test]
    fn an_absence_says_since_when() {
        let node = NodeName::new("n2").unwrap();
        let since = |or_longer| Since {
            seconds: 1_795_239_498,
            or_longer,
        };
        assert_eq!(
            absent(&node, since(false)),
            "node n2 has been absent since 2026-11-21 05:38:18 UTC; its routes stay"
        );
        assert!(absent(&node, since(true)).contains("since at least 2026"));
    }
}
