//! Connections and round trips with and without policies, beside plain iptables chains.

use std::fmt::Write as _;
use std::net::IpAddr;

use lab::policy::{PodObject, PolicyCluster};
use lab::{DEADLINE, Pod, Process, Result, wait_until};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::NAMESPACE;
use crate::data::probe::Answers;
use crate::figures::Samples;
use crate::labs::{install, parse};
use crate::{INSIDE, to_error};

/// What filters the packets of the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Filter {
    /// No program, no table.
    Nothing,
    /// `flatland-policy`, with so many policies that select the destination.
    Policies(u16),
    /// A chain for the pod, with one rule for each of so many policies.
    Iptables(u16),
}

/// The figures of one filter on one path.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FilteredPath {
    pub(crate) filter: Filter,
    pub(crate) across: bool,
    /// Medians of the round trips of several runs, in nanoseconds.
    pub(crate) median: Samples,
    pub(crate) p99: Samples,
    /// Connections a second, of several runs.
    pub(crate) connections: Samples,
}

const FILTERS: [Filter; 8] = [
    Filter::Nothing,
    Filter::Policies(0),
    Filter::Policies(1),
    Filter::Policies(50),
    Filter::Policies(500),
    Filter::Iptables(1),
    Filter::Iptables(50),
    Filter::Iptables(500),
];

/// Two clients, one on the node of the server.
struct Stage<'a> {
    cluster: &'a PolicyCluster,
    server: Pod<'a>,
    clients: [Pod<'a>; 2],
    _process: Process,
}

/// Measures all filters `rounds` times, in turn.
pub(crate) fn measure(rounds: usize) -> Result<Vec<FilteredPath>> {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace(NAMESPACE, &[])?;
    let stage = Stage::set(&cluster)?;
    let mut figures: Vec<[[Vec<u64>; 3]; 2]> = FILTERS.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (filter, figures) in FILTERS.iter().zip(&mut figures) {
            stage.filter(*filter)?;
            for (client, figures) in stage.clients.iter().zip(figures) {
                let sample = stage.sample(client)?;
                figures
                    .iter_mut()
                    .zip(sample)
                    .for_each(|(all, one)| all.push(one));
            }
            stage.clear(*filter)?;
        }
    }
    let mut paths = Vec::new();
    for (filter, figures) in FILTERS.into_iter().zip(figures) {
        for (across, figures) in [false, true].into_iter().zip(figures) {
            let [median, p99, connections] = figures.map(|all| all.into_iter().collect());
            paths.push(FilteredPath {
                filter,
                across,
                median,
                p99,
                connections,
            });
        }
    }
    Ok(paths)
}

impl<'a> Stage<'a> {
    fn set(cluster: &'a PolicyCluster) -> Result<Self> {
        for number in [1, 2] {
            install(cluster.node(number))?;
        }
        let pod =
            |node, name| cluster.pod(node, &PodObject::new(NAMESPACE, name, &[("app", name)]));
        let (server, clients) = (pod(1, "server")?, [pod(1, "near")?, pod(2, "far")?]);
        for client in &clients {
            // Otherwise ports run out: each stays in TIME-WAIT for a minute after its connection.
            client.run(&["sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1"])?;
        }
        let process = server.spawn("serve", &[INSIDE, "serve"])?;
        let stage = Self {
            cluster,
            server,
            clients,
            _process: process,
        };
        for number in [1, 2] {
            stage.stop(number)?;
        }
        Ok(stage)
    }

    fn stop(&self, number: usize) -> Result {
        let node = self.cluster.node(number);
        node.end_policy(Signal::SIGTERM)?;
        node.run(&["nft", "delete", "table", "inet", "flatland-policy"])
            .map(drop)
    }

    fn filter(&self, filter: Filter) -> Result {
        match filter {
            Filter::Nothing => Ok(()),
            Filter::Policies(count) => self.enforce(count),
            Filter::Iptables(count) => {
                let rules = self.chains(count);
                let node = self.cluster.node(1);
                node.run_with(&["iptables-restore"], rules.as_bytes())?
                    .success()
                    .map(drop)
            }
        }
    }

    /// All but the last allow pods that are not there: the packet passes all rules.
    fn enforce(&self, count: u16) -> Result {
        for number in 0..count {
            let peer = if number + 1 == count {
                json!({ "podSelector": {} })
            } else {
                json!({ "podSelector": { "matchLabels": { "app": format!("x{number}") } } })
            };
            let spec = json!({ "podSelector": { "matchLabels": { "app": "server" } }, "ingress": [{ "from": [peer] }] });
            self.cluster
                .policy(NAMESPACE, &format!("policy-{number}"), &spec)?;
        }
        for number in [1, 2] {
            self.cluster.node(number).start_policy()?;
        }
        Ok(())
    }

    /// The usual shape: replies first, a jump by the pod's address, a rule for each policy.
    fn chains(&self, count: u16) -> String {
        let mut text = "*filter\n:POD - [0:0]\n-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n".to_owned();
        let server = self.address();
        let _ = writeln!(text, "-A FORWARD -d {server} -j POD");
        for number in 1..count {
            let [high, low] = number.to_be_bytes();
            let _ = writeln!(text, "-A POD -s 10.200.{high}.{low} -j ACCEPT");
        }
        text + "-A POD -s 10.244.0.0/16 -j ACCEPT\n-A POD -j DROP\nCOMMIT\n"
    }

    fn clear(&self, filter: Filter) -> Result {
        match filter {
            Filter::Nothing => Ok(()),
            Filter::Policies(count) => {
                for number in 0..count {
                    let api = &self.cluster.cluster.api;
                    api.delete("networkpolicies", NAMESPACE, &format!("policy-{number}"));
                }
                [1, 2].into_iter().try_for_each(|number| self.stop(number))
            }
            Filter::Iptables(_) => {
                let node = self.cluster.node(1);
                node.run(&["iptables", "-F"])?;
                node.run(&["iptables", "-X"]).map(drop)
            }
        }
    }

    fn address(&self) -> IpAddr {
        self.server.addresses()[0]
    }

    /// Median and p99 of a round trip in nanoseconds, connections a second.
    fn sample(&self, client: &Pod<'_>) -> Result<[u64; 3]> {
        let server = self.address().to_string();
        let mut printed = Err(to_error("not asked"));
        wait_until("echo server", DEADLINE, || {
            printed = client.run(&[INSIDE, "query", &server, "1"]);
            printed.is_ok()
        })?;
        let answers: Answers = parse(&printed?)?;
        let trips = &answers.round_trips;
        Ok([
            trips.median(),
            trips.percentile(99),
            crate::data::paths::whole(answers.connections_per_second),
        ])
    }
}
