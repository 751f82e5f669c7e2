//! The demo's cluster: `routed` on every node, pods through the conflist that it installed, and
//! how long each of these took.

use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::survey::End;
use crate::{Error, Families, Lab, Node, Pod, Result};

/// A cluster with pods.
#[derive(Debug)]
pub(super) struct Cluster<'a> {
    /// Its nodes, with the time from the start of `routed` until the conflist was installed.
    pub(super) nodes: Vec<(&'a Node, Duration)>,
    /// Its pods, with the time that ADD took.
    pub(super) pods: Vec<(Pod<'a>, Duration)>,
    /// The time from the start of `routed` everywhere until every node had all its routes.
    pub(super) converged: Duration,
}

impl<'a> Cluster<'a> {
    /// Starts `routed` on all nodes at the same moment, and adds pods as soon as each is ready.
    pub(super) fn raise(lab: &'a Lab, options: Options) -> Result<Self> {
        let start = Instant::now();
        let nodes = start_everywhere(lab.nodes())?;
        lab.wait_routes()?;
        let converged = start.elapsed();
        let mut pods = Vec::new();
        for (node, _) in &nodes {
            for name in names(options.pods) {
                // The demo calls a pod `n1/a`. So does routed, which takes it for NAMESPACE/NAME.
                let mut pod = node.sandbox(&name)?.named(node.name(), &name);
                let start = Instant::now();
                pod.attach()
                    .map_err(|error| error.doing(format!("{}/{name}", node.name())))?;
                pods.push((pod, start.elapsed()));
            }
        }
        Ok(Self {
            nodes,
            pods,
            converged,
        })
    }

    /// All nodes, each followed by its pods, with their addresses of `families`.
    pub(super) fn ends(&self, families: Families) -> Vec<End<'a>> {
        let mut ends = Vec::new();
        for (node, _) in &self.nodes {
            ends.push(End::node(node, families));
            let here = self
                .pods
                .iter()
                .filter(|(pod, _)| pod.machine().name() == node.name());
            ends.extend(here.map(|(pod, _)| End::pod(pod)));
        }
        ends
    }
}

fn start_everywhere(nodes: &[Node]) -> Result<Vec<(&Node, Duration)>> {
    let start = |node: &Node| {
        let start = Instant::now();
        node.start_routed()?;
        Ok(start.elapsed())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .iter()
            .map(|node| (node, scope.spawn(move || start(node))))
            .collect();
        let panicked = |_| Err(Error::new("a thread of the demo panicked"));
        let joined = threads.into_iter().map(|(node, thread)| {
            let time: Result<Duration> = thread.join().unwrap_or_else(panicked);
            Ok((node, time.map_err(|error| error.doing(node.name()))?))
        });
        joined.collect()
    })
}

/// Names of pods: a to z, then p27 and so on.
fn names(count: u8) -> impl Iterator<Item = String> {
    (1..=count).map(|number| match number {
        1..=26 => char::from(b'a' + number - 1).to_string(),
        _ => format!("p{number}"),
    })
}
