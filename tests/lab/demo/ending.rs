//! How the demo ends: what `routed` says of the cluster, and how to ask it more.

use super::survey::Party;
use crate::{CommandOutput, Error, Node, Result};

/// A command of `routed`, and why it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownCommand {
    pub(super) heading: &'static str,
    pub(super) aside: &'static str,
    /// The node that it runs on.
    pub(super) node: String,
    /// The command and its arguments.
    words: Vec<String>,
}

/// What to type next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hints {
    pub(super) heading: &'static str,
    /// What for, and the command.
    pub(super) rows: Vec<(&'static str, String)>,
}

impl ShownCommand {
    /// As one types it.
    pub(super) fn text(&self) -> String {
        format!("routed {}", self.words.join(" "))
    }

    /// Runs it on its node, however it ends.
    pub(super) fn run(&self, nodes: &[Node]) -> Result<CommandOutput> {
        let node = nodes.iter().find(|node| node.name() == self.node);
        let node = node.ok_or_else(|| Error::new(format!("there is no node {}", self.node)))?;
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        node.routed_command(&words)
    }
}

/// The status of a node, and the way from one of its pods to another pod, if there are two.
pub(super) fn queries(parties: &[Party]) -> Vec<ShownCommand> {
    let status = parties.first().map(|party| ShownCommand {
        heading: "A node's status",
        aside: "whether it works, and if not, why",
        node: party.node.clone(),
        words: vec!["status".to_owned()],
    });
    let explain = explain(parties).map(|(from, to)| ShownCommand {
        heading: "The way between two pods",
        aside: "link by link; a broken one is named, with what to do",
        node: from.node.clone(),
        words: words_of_explain(from, to),
    });
    status.into_iter().chain(explain).collect()
}

/// A pod, and one of another node; of the same node where there is no other.
fn explain(parties: &[Party]) -> Option<(&Party, &Party)> {
    let mut pods = parties.iter().filter(|party| party.is_pod);
    let from = pods.next()?;
    let others: Vec<&Party> = pods.collect();
    let afar = others.iter().find(|pod| pod.node != from.node);
    afar.or(others.first()).map(|to| (from, *to))
}

/// A pod's name is known only on its node: the other goes by its address.
fn words_of_explain(from: &Party, to: &Party) -> Vec<String> {
    let address = to.addresses.first().map(ToString::to_string);
    ["explain".to_owned(), from.name.clone()]
        .into_iter()
        .chain(address)
        .collect()
}

/// What to type next: with the path of `lab` where the cluster stays up, else how to keep it up.
pub(super) fn hints(lab: Option<&str>, parties: &[Party]) -> Hints {
    let Some(lab) = lab else {
        let rows = vec![
            ("keep it up, and ask more", "make demo KEEP=1".to_owned()),
            (
                "another cluster",
                "make demo NODES=5 PODS=3 FAMILIES=6".to_owned(),
            ),
        ];
        return Hints {
            heading: "What next",
            rows,
        };
    };
    let mut rows = Vec::new();
    if let Some(node) = parties.iter().find(|party| !party.is_pod) {
        rows.extend([
            ("enter a node", format!("{lab} enter {}", node.name)),
            ("  does it work?", "routed status".to_owned()),
            ("  other nodes", "routed nodes".to_owned()),
            ("  its routes", "routed routes".to_owned()),
        ]);
    }
    let way = explain(parties);
    rows.extend(way.map(|(from, to)| {
        let words = words_of_explain(from, to).join(" ");
        ("  between two pods", format!("routed {words}"))
    }));
    rows.push(("  all commands", "routed --help".to_owned()));
    if let Some(pod) = parties.iter().find(|party| party.is_pod) {
        rows.push(("enter a pod", format!("{lab} enter {}", pod.name)));
    }
    rows.extend(way.and_then(|(_, to)| {
        let address = to.addresses.first()?;
        Some(("  ping another", format!("ping {address}")))
    }));
    rows.push(("take it down", "make demo-down".to_owned()));
    Hints {
        heading: "It stays up",
        rows,
    }
}

#[cfg(test)]
mod tests;
