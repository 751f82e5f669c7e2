//! What the demo prints.

use std::io::{self, Write as _};
use std::time::Duration;

use super::Options;
use super::cluster::Cluster;
use super::ending::{Hints, ShownCommand};
use super::matrix::{complaints, examples, matrix, time};
use super::survey::{Party, ProbedPair};
use super::table::{self, Paint, Style, StyledText};
use crate::error::Doing;
use crate::{CommandOutput, Families, Node, Result};

/// The demo's standard output.
pub(super) struct DemoReport {
    paint: Paint,
}

impl DemoReport {
    pub(super) fn to_stdout() -> Self {
        Self {
            paint: Paint::for_stdout(),
        }
    }

    fn print(&self, style: Style, text: &str) -> Result {
        let text = self.paint.apply(style, text);
        writeln!(io::stdout(), "{text}").doing("printing")
    }

    fn table(&self, rows: &[Vec<StyledText>]) -> Result {
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
        let mut rows = vec![headings(
            families,
            "node",
            &["address", "subnet"],
            &["ready"],
        )];
        for (node, ready) in &cluster.nodes {
            let addresses = node
                .addresses()
                .iter()
                .filter(|&&address| families.has(address));
            let mut row = vec![StyledText::new(Style::Name, node.name())];
            row.extend(addresses.map(|address| StyledText::new(Style::Plain, address.to_string())));
            row.extend(
                subnets(node)?
                    .into_iter()
                    .map(|subnet| StyledText::new(Style::Plain, subnet)),
            );
            row.push(StyledText::right(Style::Good, millis(*ready)));
            rows.push(row);
        }
        self.table(&rows)
    }

    pub(super) fn pods(&self, cluster: &Cluster<'_>, families: Families) -> Result {
        if cluster.pods.is_empty() {
            return Ok(());
        }
        self.section(
            "Pods",
            "ADD: the call of the plugin, with the way into the node's namespaces",
        )?;
        let mut rows = vec![headings(
            families,
            "pod",
            &["address"],
            &["host end", "ADD"],
        )];
        for (pod, add) in &cluster.pods {
            let name = format!("{}/{}", pod.machine().name(), pod.name());
            let host_end = pod
                .result()
                .interfaces
                .first()
                .map_or("", |interface| &interface.name);
            let mut row = vec![StyledText::new(Style::Name, name)];
            row.extend(
                pod.addresses()
                    .iter()
                    .map(|a| StyledText::new(Style::Plain, a.to_string())),
            );
            row.push(StyledText::new(Style::Aside, host_end));
            row.push(StyledText::right(Style::Good, millis(*add)));
            rows.push(row);
        }
        self.table(&rows)
    }

    /// The routes of the first node: those of the others are of the same kinds.
    pub(super) fn routes(&self, cluster: &Cluster<'_>, families: Families) -> Result {
        let Some((node, _)) = cluster.nodes.first() else {
            return Ok(());
        };
        self.section(
            &format!("Routes of {}", node.name()),
            "as ip prints them; 70 is the protocol number of Flatland's routes",
        )?;
        for flag in [families.v4().then_some("-4"), families.v6().then_some("-6")] {
            let Some(flag) = flag else { continue };
            let command = ["ip", flag, "route", "show", "proto", "70"];
            let prompt = self.paint.apply(Style::Name, &format!("{}#", node.name()));
            writeln!(io::stdout(), "  {prompt} {}", command.join(" ")).doing("printing")?;
            for line in node.run(&command)?.lines() {
                let to_peer = line.contains(" via ");
                let style = if to_peer { Style::Plain } else { Style::Aside };
                self.print(style, &format!("  {}", line.trim_end()))?;
            }
        }
        Ok(())
    }

    /// Whether everyone reached everyone as itself.
    pub(super) fn reach(&self, parties: &[Party], probed: &[ProbedPair]) -> Result<bool> {
        for (ipv6, family) in [(false, "IPv4"), (true, "IPv6")] {
            if probed.iter().any(|one| one.is_ipv6() == ipv6) {
                let aside = "round trip of a ping; TCP and UDP answered too";
                self.section(&format!("Who reaches whom by {family}"), aside)?;
                let text = matrix(parties, probed, ipv6, self.paint);
                write!(io::stdout(), "{text}").doing("printing")?;
            }
        }
        let complaints = complaints(parties, probed);
        for complaint in &complaints {
            self.print(Style::Bad, &format!("  ✗ {complaint}"))?;
        }
        self.no_translation(parties, probed)?;
        Ok(complaints.is_empty())
    }

    fn no_translation(&self, parties: &[Party], probed: &[ProbedPair]) -> Result {
        if probed.is_empty() {
            return Ok(());
        }
        let honest = probed
            .iter()
            .filter(|one| one.seen_as_itself(parties))
            .count();
        let all = probed.len();
        self.section(
            "No NAT",
            "from which address each receiver saw the sender come, for example:",
        )?;
        self.table(&examples(parties, probed))?;
        let style = if honest == all {
            Style::Good
        } else {
            Style::Bad
        };
        let text = format!("{honest} of {all} receivers saw the sender's own address");
        self.print(style, &format!("  {text}, by TCP and by UDP"))
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
                .map(|&median| ("ADD of a pod, median", median)),
        );
        rows.push(("everything up to here", total));
        let cells = rows.into_iter().map(|(what, time)| {
            vec![
                StyledText::new(Style::Plain, what),
                StyledText::right(Style::Good, millis(time)),
            ]
        });
        self.table(&cells.collect::<Vec<_>>())
    }

    /// What `routed` answers to a query, below a prompt. Whether it found all as it should be.
    pub(super) fn query(&self, query: &ShownCommand, output: &CommandOutput) -> Result<bool> {
        self.section(query.heading, query.aside)?;
        let prompt = self.paint.apply(Style::Name, &format!("{}#", query.node));
        writeln!(io::stdout(), "  {prompt} {}", query.text()).doing("printing")?;
        for line in output.stdout.lines() {
            self.print(Style::Plain, format!("  {line}").trim_end())?;
        }
        for line in output.stderr.lines() {
            self.print(Style::Bad, &format!("  {line}"))?;
        }
        let works = output.status.success();
        if !works {
            self.print(Style::Bad, &format!("  ✗ {}", output.status))?;
        }
        Ok(works)
    }

    pub(super) fn closing(&self, hints: &Hints) -> Result {
        self.section(hints.heading, "")?;
        let rows = hints.rows.iter().map(|(what, command)| {
            vec![
                StyledText::new(Style::Aside, *what),
                StyledText::new(Style::Name, command),
            ]
        });
        self.table(&rows.collect::<Vec<_>>())
    }
}

/// `first`, each of `columns` as wide as there are families, and `last`; the very last is a number.
fn headings(families: Families, first: &str, columns: &[&str], last: &[&str]) -> Vec<StyledText> {
    let others = families.pod_cidrs().len() - 1;
    let mut texts = vec![first];
    for column in columns {
        texts.push(column);
        texts.extend(std::iter::repeat_n("", others));
    }
    texts.extend(last);
    let mut cells: Vec<StyledText> = texts
        .iter()
        .map(|text| StyledText::new(Style::Aside, *text))
        .collect();
    if let Some(number) = cells.last_mut() {
        *number = StyledText::right(Style::Aside, texts[texts.len() - 1]);
    }
    cells
}

fn millis(duration: Duration) -> String {
    time(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// The node's own subnets: those with an unreachable route.
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
