//! `routed routes`: what the kernel should hold against what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;
use wire::netlink::Route;
use wire::node::NodeName;

use super::screen::{Screen, Tone};
use super::status::NOT_RUNNING;
use super::table::{Align, Cell, render, with_reasons};
use super::{Failure, Format, Report, daemon, json};
use crate::desired::Link;
use crate::fib::{self, Kernel, Netlink};
use crate::http::client;
use crate::plan::{self, Actual};
use crate::report;
use crate::status::{Obstacle, RouteRow, Way};

/// The flags of `routed routes`.
#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Overview {
    /// Whether the daemon was there to say what should be.
    running: bool,
    routes: Vec<Compared>,
}

/// A route as it should be and as it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Compared {
    subnet: IpNet,
    node: Option<NodeName>,
    desired: Option<String>,
    actual: Vec<String>,
    state: State,
    why: Option<String>,
}

/// How they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// They are the same.
    Ok,
    /// They are the same, although the registry does not show the claim.
    Held,
    /// There is none.
    Missing,
    /// There is another one of ours.
    Wrong,
    /// Somebody else's has the place.
    Conflict,
    /// The kernel refuses it.
    Refused,
    /// There should be none, and there is one.
    Stale,
    /// There is a claim, there should be no route, and there is none.
    None,
    /// Nobody says what should be.
    Unknown,
}

impl State {
    fn words(self) -> (&'static str, Tone) {
        match self {
            Self::Ok => ("ok", Tone::Good),
            Self::Held => ("held", Tone::Doubtful),
            Self::Missing => ("missing", Tone::Bad),
            Self::Wrong => ("wrong", Tone::Bad),
            Self::Conflict => ("conflict", Tone::Bad),
            Self::Refused => ("refused", Tone::Bad),
            Self::Stale => ("stale", Tone::Bad),
            Self::None => ("none", Tone::Bad),
            Self::Unknown => ("?", Tone::Plain),
        }
    }

    fn is_well(self) -> bool {
        matches!(self, Self::Ok | Self::Held)
    }
}

/// Asks the daemon what should be and the kernel what is.
pub(crate) fn run(args: &RoutesArgs) -> Result<Report, Failure> {
    let mut kernel = Netlink::default();
    let look = |kernel: &mut Netlink| {
        Ok::<_, wire::netlink::Error>((fib::list(kernel)?.ours, kernel.links()?))
    };
    let (actual, links) = look(&mut kernel).map_err(|why| Failure::new(1, why.to_string()))?;
    let (running, desired) = match daemon("/routes") {
        Ok(desired) => (true, desired),
        Err(why @ client::Error::NotRunning) => {
            // Who does not read it sees states that are open.
            drop(writeln!(
                io::stderr(),
                "routed: {why}; as the kernel has it:"
            ));
            (false, Vec::new())
        }
        Err(why) => return Err(why.into()),
    };
    let routes = compare(desired, &actual, &links, running);
    let is_well = routes.iter().all(|route| route.state.is_well());
    let status = if running {
        u8::from(!is_well)
    } else {
        NOT_RUNNING
    };
    let text = match args.output {
        Format::Json => json(&Overview { running, routes })?,
        Format::Table => table(&routes, Screen::of_stdout()),
    };
    Ok(Report { text, status })
}

fn compare(desired: Vec<RouteRow>, actual: &Actual, links: &[Link], known: bool) -> Vec<Compared> {
    let mut wanted: BTreeMap<IpNet, RouteRow> =
        desired.into_iter().map(|row| (row.subnet, row)).collect();
    let subnets: BTreeSet<IpNet> = wanted.keys().chain(actual.keys()).copied().collect();
    let compared = |subnet: IpNet| {
        let there = actual.get(&subnet).map_or(&[][..], Vec::as_slice);
        let row = wanted.remove(&subnet);
        let state = match &row {
            Some(row) => state(row, there, links),
            None if known => State::Stale,
            None => State::Unknown,
        };
        let (node, desired, why) = match row {
            Some(row) => (row.node, row.desired, row.why),
            None => (None, None, None),
        };
        Compared {
            subnet,
            node,
            desired: desired.map(|way| way.to_string()),
            actual: there.iter().map(|route| shown(route, links)).collect(),
            state,
            why,
        }
    };
    subnets.into_iter().map(compared).collect()
}

fn state(row: &RouteRow, there: &[Route], links: &[Link]) -> State {
    let is_there = |way: &Way| {
        let mut ways = there.iter().filter_map(|route| self::way(route, links));
        ways.any(|found| found == *way)
    };
    match (&row.desired, row.obstacle) {
        (None, _) if there.is_empty() => State::None,
        (None, _) => State::Stale,
        (Some(way), _) if is_there(way) => {
            if row.held {
                State::Held
            } else {
                State::Ok
            }
        }
        (Some(_), Some(Obstacle::Conflict)) => State::Conflict,
        (Some(_), Some(Obstacle::Refused)) => State::Refused,
        (Some(_), None) if there.is_empty() => State::Missing,
        (Some(_), None) => State::Wrong,
    }
}

fn way(route: &Route, links: &[Link]) -> Option<Way> {
    plan::path(route).map(|path| Way::of(path, links))
}

fn shown(route: &Route, links: &[Link]) -> String {
    let text = way(route, links).map(|way| way.to_string());
    text.unwrap_or_else(|| report::way(route, links).trim().to_owned())
}

const COLUMNS: [(&str, Align); 5] = [
    ("SUBNET", Align::Left),
    ("NODE", Align::Left),
    ("DESIRED", Align::Left),
    ("ACTUAL", Align::Left),
    ("STATE", Align::Left),
];

fn table(routes: &[Compared], screen: Screen) -> String {
    let rows: Vec<_> = routes.iter().map(row).collect();
    let whys = routes.iter().filter_map(|route| route.why.as_deref());
    with_reasons(render(&COLUMNS, &rows, screen), whys)
}

fn row(route: &Compared) -> Vec<Cell> {
    let (state, tone) = route.state.words();
    let actual = match (&route.desired, route.actual.as_slice()) {
        (_, []) => "none".to_owned(),
        (Some(desired), [actual]) if desired == actual => "same".to_owned(),
        (_, actual) => actual.join(", "),
    };
    let node = route.node.as_ref().map_or("?", NodeName::as_str);
    let undesired = if route.state == State::Unknown {
        "?"
    } else {
        "none"
    };
    vec![
        route.subnet.to_string().into(),
        node.into(),
        route.desired.as_deref().unwrap_or(undesired).into(),
        actual.into(),
        Cell::new(state, tone),
    ]
}

#[cfg(test)]
mod tests {
    use wire::netlink::RouteKind;

    use super::*;

    fn links() -> Vec<Link> {
        vec![Link {
            index: 4,
            name: "eth0".into(),
            up: true,
            running: true,
            lasting: Vec::new(),
            addresses: vec![],
        }]
    }

    fn subnet(number: u8) -> IpNet {
        format!("10.244.{number}.0/24").parse().unwrap()
    }

    fn via(number: u8, last: u8) -> Route {
        Route {
            via: Some(format!("192.168.1.{last}").parse().unwrap()),
            dev: Some(4),
            ..Route::new(subnet(number), RouteKind::Unicast)
        }
    }

    fn row(number: u8, desired: Option<u8>) -> RouteRow {
        let gateway = |last: u8| format!("192.168.1.{last}").parse().unwrap();
        RouteRow {
            subnet: subnet(number),
            node: NodeName::new(&format!("n{number}")).ok(),
            desired: desired.map(|last| Way::Via {
                gateway: gateway(last),
                dev: "eth0".into(),
            }),
            held: false,
            obstacle: None,
            why: None,
        }
    }

    #[test]
    fn every_way_to_differ_has_a_name() {
        let held = RouteRow {
            held: true,
            ..row(2, Some(2))
        };
        let conflict = RouteRow {
            obstacle: Some(Obstacle::Conflict),
            ..row(5, Some(5))
        };
        let refused = RouteRow {
            obstacle: Some(Obstacle::Refused),
            ..row(6, Some(6))
        };
        let desired = vec![
            row(1, Some(1)),
            held,
            row(3, Some(3)),
            row(4, Some(4)),
            conflict,
            refused,
            row(7, None),
            row(8, None),
        ];
        let routes = [via(1, 1), via(2, 2), via(4, 9), via(8, 8), via(9, 9)];
        let actual: Actual = routes.iter().map(|it| (it.dst, vec![it.clone()])).collect();
        let states: Vec<_> = compare(desired, &actual, &links(), true)
            .into_iter()
            .map(|route| route.state)
            .collect();
        assert_eq!(
            states,
            [
                State::Ok,
                State::Held,
                State::Missing,
                State::Wrong,
                State::Conflict,
                State::Refused,
                State::None,
                State::Stale,
                State::Stale,
            ]
        );
        let alone = compare(Vec::new(), &actual, &links(), false);
        assert!(alone.iter().all(|route| route.state == State::Unknown));
    }

    #[test]
    fn the_table_shows_what_is_the_same_once() {
        let desired = vec![row(1, Some(1)), row(4, Some(4))];
        let actual = [(subnet(1), vec![via(1, 1)])].into();
        let text = table(&compare(desired, &actual, &links(), true), Screen::PIPE);
        let expected = "\
SUBNET         NODE  DESIRED                   ACTUAL  STATE
10.244.1.0/24  n1    via 192.168.1.1 dev eth0  same    ok
10.244.4.0/24  n4    via 192.168.1.4 dev eth0  none    missing";
        assert_eq!(text, expected);
    }
}
