//! What people read in the log: one line per thing that changed, one line for many.

use std::net::IpAddr;

use tracing::{error, info, warn};
use wire::netlink::{Route, RouteKind};
use wire::node::NodeName;

use crate::desired::Link;
use crate::fib::Why;
use crate::guests::GATEWAY;

/// As many lines of a kind are written out; of more there is one that sums them up.
const MOST_LINES: usize = 16;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A route came.
    Added,
    /// A route led elsewhere and now leads where it should.
    Moved,
    /// A route that somebody took away or changed is as it was.
    Restored,
    /// A route went with its claim.
    Withdrawn,
    /// A route that nobody claims went.
    Pruned,
    /// A claim gets no route.
    Refused,
    /// A record of the registry is ignored.
    Ignored,
    /// The kernel, or somebody else's route, is in the way.
    Failed,
    /// A node's presence went.
    Absent,
    /// It is back.
    Returned,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Added,
        Self::Moved,
        Self::Restored,
        Self::Withdrawn,
        Self::Pruned,
        Self::Refused,
        Self::Ignored,
        Self::Failed,
        Self::Absent,
        Self::Returned,
    ];

    /// Its name for machines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Moved => "moved",
            Self::Restored => "repaired",
            Self::Withdrawn => "withdrawn",
            Self::Pruned => "pruned",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Absent => "absent",
            Self::Returned => "returned",
        }
    }

    fn many(self) -> &'static str {
        match self {
            Self::Added => "routes added",
            Self::Moved => "routes moved",
            Self::Restored => "routes put back",
            Self::Withdrawn => "routes withdrawn",
            Self::Pruned => "stale routes withdrawn",
            Self::Refused => "claims without a route",
            Self::Ignored => "records in the registry ignored",
            Self::Failed => "routes could not be brought into the kernel",
            Self::Absent => "nodes are absent",
            Self::Returned => "nodes are present again",
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    kind: Kind,
    text: String,
}

impl Line {
    /// A line of that kind.
    pub(crate) fn new(kind: Kind, text: String) -> Self {
        Self { kind, text }
    }

    /// What it is about.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

/// A state of affairs that is told of when it comes or changes, not every time it is met.
#[derive(Debug, Default)]
pub(crate) struct Said(Option<String>);

impl Said {
    /// Whether `text` differs from what was said last.
    pub(crate) fn is_news(&mut self, text: &str) -> bool {
        let is_news = self.0.as_deref() != Some(text);
        if is_news {
            self.0 = Some(text.to_owned());
        }
        is_news
    }

    /// What was said last, if it is not over.
    pub(crate) fn current(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// It is over. Returns whether there was anything.
    pub(crate) fn clear(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Writes the lines, in order within each kind.
pub(crate) fn tell(lines: &[Line]) {
    for kind in Kind::ALL {
        for text in summed_up(kind, lines) {
            match kind {
                Kind::Failed => error!("{text}"),
                Kind::Refused | Kind::Ignored | Kind::Restored | Kind::Absent => warn!("{text}"),
                _ => info!("{text}"),
            }
        }
    }
}

fn summed_up(kind: Kind, lines: &[Line]) -> Vec<String> {
    let of_kind = || lines.iter().filter(|line| line.kind == kind);
    let count = of_kind().count();
    match of_kind().next() {
        Some(first) if count > MOST_LINES => {
            vec![format!(
                "{count} {}; the first: {}",
                kind.many(),
                first.text
            )]
        }
        _ => of_kind().map(|line| line.text.clone()).collect(),
    }
}

/// `route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0`.
pub(crate) fn route_line(route: &Route, peer: Option<&NodeName>, links: &[Link]) -> String {
    let peer = peer.map(|peer| format!(" ({peer})")).unwrap_or_default();
    match route.kind {
        RouteKind::Unreachable => format!("unreachable route for own subnet {}", route.dst),
        _ if route.dst == GATEWAY => {
            format!(
                "route to {} (pods' gateway){}",
                route.dst,
                way(route, links)
            )
        }
        _ => format!("route to {}{peer}{}", route.dst, way(route, links)),
    }
}

/// ` via 192.168.1.2 dev eth0`.
pub(crate) fn way(route: &Route, links: &[Link]) -> String {
    let via = route
        .via
        .map(|via: IpAddr| format!(" via {via}"))
        .unwrap_or_default();
    let dev = route
        .dev
        .map(|index| format!(" dev {}", name_of(index, links)))
        .unwrap_or_default();
    format!("{via}{dev}")
}

/// The link's name, or `if7` where it is not known.
pub(crate) fn name_of(index: u32, links: &[Link]) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

/// Why a route is not as it should be.
pub(crate) fn failure_line(
    wanted: &Route,
    peer: Option<&NodeName>,
    why: &Why,
    links: &[Link],
) -> String {
    let wanted = route_line(wanted, peer, links);
    match why {
        Why::Refused(text) => format!("{wanted}: {text}; trying again"),
        Why::Conflict(foreign) => {
            let kind = match foreign.kind {
                RouteKind::Unreachable => " unreachable",
                _ => "",
            };
            format!(
                "{wanted}: conflict with a route that somebody else made: {}{kind}{} proto {}; it \
                 is left alone, remove it to let this one in",
                foreign.dst,
                way(foreign, links),
                protocol(foreign.protocol)
            )
        }
    }
}

/// The protocol's name as iproute2 has it (`/etc/iproute2/rt_protos`), else its number.
pub(crate) fn protocol(number: u8) -> String {
    match number {
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        12 => "bird".to_owned(),
        16 => "dhcp".to_owned(),
        186 => "bgp".to_owned(),
        188 => "ospf".to_owned(),
        196 => "openr".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, text: &str) -> Line {
        Line::new(kind, text.to_owned())
    }

    #[test]
    fn up_to_sixteen_lines_of_a_kind_are_written_out() {
        let lines: Vec<_> = (0..16).map(|n| line(Kind::Added, &n.to_string())).collect();
        assert_eq!(summed_up(Kind::Added, &lines).len(), 16);
        assert!(summed_up(Kind::Withdrawn, &lines).is_empty());
    }

    #[test]
    fn more_are_summed_up_in_one_line() {
        let mut lines: Vec<_> = (0..17)
            .map(|n| line(Kind::Added, &format!("r{n}")))
            .collect();
        lines.push(line(Kind::Failed, "f"));
        assert_eq!(
            summed_up(Kind::Added, &lines),
            ["17 routes added; the first: r0"]
        );
        assert_eq!(summed_up(Kind::Failed, &lines), ["f"]);
    }

    #[test]
    fn a_conflict_names_both_routes() {
        let links = [Link {
            index: 4,
            name: "eth0".into(),
            up: true,
            running: true,
            addresses: vec![],
            lasting: vec![],
        }];
        let dst = "10.244.7.0/24".parse().unwrap();
        let mut wanted = Route::new(dst, RouteKind::Unicast);
        (wanted.via, wanted.dev) = (Some("192.168.1.2".parse().unwrap()), Some(4));
        let mut foreign = wanted.clone();
        (foreign.via, foreign.protocol) = (Some("192.168.1.254".parse().unwrap()), 4);
        let peer = NodeName::new("n2").unwrap();
        assert_eq!(
            failure_line(&wanted, Some(&peer), &Why::Conflict(foreign), &links),
            "route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0: conflict with a route that \
             somebody else made: 10.244.7.0/24 via 192.168.1.254 dev eth0 proto static; it is \
             left alone, remove it to let this one in"
        );
    }
}
