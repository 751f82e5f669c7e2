//! What the demo prints.

use std::io::{self, Write as _};
use std::time::Duration;

use super::Options;
use super::cluster::Cluster;
use super::matrix::{complaints, examples, matrix, time};
use super::survey::{Asked, Party};
use super::table::{self, Cell, Paint, Style};
use crate::error::Doing;
use crate::namespaces::own_path;
use crate::{Families, Kept, Node, Result};

/// The demo's standard output.
pub(super) struct Report {
    paint: Paint,
}

impl Report {
    pub(super) fn to_stdout() -> Self {
        Self {
            paint: Paint::for_stdout(),
        }
    }

    fn print(&self, style: Style, text: &str) -> Result {
        let text = self.paint.apply(style, text);
        writeln!(io::stdout(), "{text}").doing("printing")
    }

    fn table(&self, rows: &[Vec<Cell>]) -> Result {
        write!(io::stdout(), "{}", table::render(rows, self.paint)).doing("printing")
    }

    fn section(&self, heading: &str, aside: &str) -> Result {
        let heading = self.paint.apply(Style::Heading, heading);
        let aside = self.paint.apply(Style::Aside, aside);
        let line = format!("{heading}  {aside}");
        writeln!(io::stdout(), "\n{}", line.trim_end()).doing("printing")
    }

    pub(super) fn title(&self, options: Options) -> Result {
        let families = match options.families {
            Families::V4 => "IPv4",
            Families::V6 => "IPv6",
            Families::Dual => "IPv4 and IPv6",
        };
        let Options { nodes, pods, .. } = options;
        self.print(
            Style::Heading,
            concat!("Flatland ", env!("CARGO_PKG_VERSION")),
        )?;
        let node = if nodes == 1 { "node" } else { "nodes, each" };
        let pod = if pods == 1 { "pod" } else { "pods" };
        let text =
            format!("{nodes} {node} with {pods} {pod}, {families}; all of it on this machine");
        self.print(Style::Aside, &text)
    }

    pub(super) fn nodes(&self, cluster: &Cluster<'_>, families: Families) -> Result {
        self.section(
            "Nodes",
            "ready: from the start of routed until its conflist is installed",
        )?;
        let mut rows = vec![headings(&["node", "addresses", "subnets", "ready"])];
        for (node, ready) in &cluster.nodes {
            rows.push(vec![
                Cell::new(Style::Name, node.name()),
                Cell::new(Style::Plain, addresses(node, families)),
                Cell::new(Style::Plain, subnets(node)?.join("  ")),
                Cell::right(Style::Good, millis(*ready)),
            ]);
        }
        self.table(&rows)
    }

    pub(super) fn pods(&self, cluster: &Cluster<'_>) -> Result {
        self.section(
            "Pods",
            "ADD: the whole call, as a container runtime would time it",
        )?;
        let mut rows = vec![headings(&["pod", "addresses", "host end", "ADD"])];
        for (pod, add) in &cluster.pods {
            let addresses: Vec<String> = pod.addresses().iter().map(ToString::to_string).collect();
            let host_end = pod.result().interfaces.first();
            rows.push(vec![
                Cell::new(
                    Style::Name,
                    format!("{}/{}", pod.machine().name(), pod.name()),
                ),
                Cell::new(Style::Plain, addresses.join("  ")),
                Cell::new(
                    Style::Aside,
                    host_end.map_or("", |interface| &interface.name),
                ),
                Cell::right(Style::Good, millis(*add)),
            ]);
        }
        self.table(&rows)
    }

    pub(super) fn routes(&self, cluster: &Cluster<'_>, families: Families) -> Result {
        self.section(
            "Routes",
            "as ip prints them; 70 is Flatland's protocol number",
        )?;
        for (node, _) in &cluster.nodes {
            for flag in [families.v4().then_some("-4"), families.v6().then_some("-6")] {
                let Some(flag) = flag else { continue };
                let command = ["ip", flag, "route", "show", "proto", "70"];
                let prompt = self.paint.apply(Style::Name, &format!("{}#", node.name()));
                writeln!(io::stdout(), "  {prompt} {}", command.join(" ")).doing("printing")?;
                for line in node.run(&command)?.lines() {
                    self.print(Style::Plain, &format!("  {}", line.trim_end()))?;
                }
            }
        }
        Ok(())
    }

    /// Whether everyone reached everyone as itself.
    pub(super) fn reach(&self, parties: &[Party], asked: &[Asked]) -> Result<bool> {
        for (ipv6, family) in [(false, "IPv4"), (true, "IPv6")] {
            if asked.iter().any(|one| one.is_ipv6() == ipv6) {
                let aside = "round trip of a ping; TCP and UDP answered too";
                self.section(&format!("Who reaches whom by {family}"), aside)?;
                let text = matrix(parties, asked, ipv6, self.paint);
                write!(io::stdout(), "{text}").doing("printing")?;
            }
        }
        let complaints = complaints(parties, asked);
        for complaint in &complaints {
            self.print(Style::Bad, &format!("  ✗ {complaint}"))?;
        }
        self.no_translation(parties, asked)?;
        Ok(complaints.is_empty())
    }

    fn no_translation(&self, parties: &[Party], asked: &[Asked]) -> Result {
        self.section(
            "No NAT",
            "the address that the receiver saw the sender come from",
        )?;
        self.table(&examples(parties, asked))?;
        let honest = asked
            .iter()
            .filter(|one| one.seen_as_itself(parties))
            .count();
        let style = if honest == asked.len() {
            Style::Good
        } else {
            Style::Bad
        };
        let all = asked.len();
        self.print(
            style,
            &format!("  {honest} of {all} receivers saw the sender's own address"),
        )
    }

    pub(super) fn timings(&self, cluster: &Cluster<'_>, total: Duration) -> Result {
        self.section("Time", "")?;
        let slowest = |times: &mut dyn Iterator<Item = Duration>| times.max().unwrap_or_default();
        let ready = slowest(&mut cluster.nodes.iter().map(|(_, time)| *time));
        let mut adds: Vec<Duration> = cluster.pods.iter().map(|(_, time)| *time).collect();
        adds.sort();
        let mut rows = vec![
            ("routed started to every node ready", ready),
            (
                "routed started to every route in the kernel",
                cluster.converged,
            ),
        ];
        rows.extend(
            adds.get(adds.len() / 2)
                .map(|&median| ("ADD, median", median)),
        );
        rows.push(("all of this demo", total));
        let cells = rows.into_iter().map(|(what, time)| {
            vec![
                Cell::new(Style::Plain, what),
                Cell::right(Style::Good, millis(time)),
            ]
        });
        self.table(&cells.collect::<Vec<_>>())
    }

    pub(super) fn left_up(&self, kept: &Kept) -> Result {
        let own = own_path()?;
        let here = std::env::current_dir().doing("finding the current folder")?;
        let lab = own.strip_prefix(here).unwrap_or(&own).display();
        self.section("It stays up", "")?;
        let first = |is_pod: bool| {
            let mut names = kept.places.iter().map(|place| &place.name);
            names.find(|name| name.contains('/') == is_pod)
        };
        let mut rows = Vec::new();
        for (what, name) in [("enter a node", first(false)), ("enter a pod", first(true))] {
            let command = name.map(|name| format!("{lab} enter {name}"));
            rows.extend(command.map(|command| named(what, &command)));
        }
        rows.push(named("take it down", "make demo-down"));
        self.table(&rows)
    }
}

fn named(what: &str, command: &str) -> Vec<Cell> {
    vec![
        Cell::new(Style::Aside, what),
        Cell::new(Style::Name, command),
    ]
}

fn headings(texts: &[&str]) -> Vec<Cell> {
    let last = texts.len() - 1;
    let cell = |(number, &text): (usize, &&str)| {
        let align = if number == last {
            Cell::right
        } else {
            Cell::new
        };
        align(Style::Aside, text)
    };
    texts.iter().enumerate().map(cell).collect()
}

fn millis(duration: Duration) -> String {
    time(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn addresses(node: &Node, families: Families) -> String {
    let shown = node
        .addresses()
        .iter()
        .filter(|&&address| families.has(address));
    shown
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("  ")
}

/// The node's own subnets: those it lets nobody else route to.
fn subnets(node: &Node) -> Result<Vec<String>> {
    let routes = node.routes()?;
    let own = routes
        .iter()
        .filter_map(|route| route.strip_prefix("unreachable "));
    Ok(own
        .filter_map(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}
