//! A ruleset as a person would write it down.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{
    ChainEnd, ChainId, ChainRule, PodChain, PodName, PortRange, RuleChain, RulePeer, RulePorts,
    Ruleset, SetId, TrafficDirection,
};

/// Comments begin in this column, if the rule is not longer.
const COMMENT_COLUMN: usize = 64;

impl Ruleset {
    /// One rule of a chain of this ruleset, in one line:
    /// `accept tcp 5432 from pods app=web in namespaces team=a   # shop/allow-web`.
    pub fn rule_line(&self, rule: &ChainRule, direction: TrafficDirection) -> String {
        let word = match direction {
            TrafficDirection::Egress => "to",
            TrafficDirection::Ingress => "from",
        };
        let (action, ports) = (rule.action, self.ports(&rule.ports));
        let peer = match (&rule.peer, &rule.ports) {
            (RulePeer::Everything, RulePorts::Named(id)) => self.description(*id).to_owned(),
            (peer, RulePorts::Named(id)) => {
                format!("{}, there {}", self.peer(peer), self.description(*id))
            }
            (peer, _) => self.peer(peer),
        };
        with_comment(&format!("{action}{ports} {word} {peer}"), &rule.source)
    }

    /// What comes after the rules of a chain, in one line.
    pub fn end_line(&self, end: &ChainEnd) -> String {
        match end {
            ChainEnd::Accept => "accept everything else".to_owned(),
            ChainEnd::Continue(id) => format!("then chain {}", id.0),
            ChainEnd::Deny(policies) => {
                let names: Vec<_> = policies.iter().map(ToString::to_string).collect();
                let isolated = format!("isolated by {}", names.join(", "));
                with_comment("deny everything else", isolated)
            }
        }
    }

    fn peer(&self, peer: &RulePeer) -> String {
        match peer {
            RulePeer::Everything => "everything".to_owned(),
            RulePeer::Network(network) => network.to_string(),
            RulePeer::Pods(id) | RulePeer::Networks(id) => self.description(*id).to_owned(),
        }
    }

    /// Ports by number, with a space before them.
    fn ports(&self, ports: &RulePorts) -> String {
        match ports {
            RulePorts::Any | RulePorts::Named(_) => String::new(),
            RulePorts::Ranges { set, .. } => format!(" {}", self.description(*set)),
            RulePorts::Range { protocol, range } if *range == PortRange::new(0, u16::MAX) => {
                format!(" {protocol}")
            }
            RulePorts::Range { protocol, range } => format!(" {protocol} {range}"),
        }
    }

    fn description(&self, id: SetId) -> &str {
        self.sets.get(&id).map_or("nothing", |set| &set.description)
    }

    fn chain_block(&self, id: ChainId, chain: &RuleChain) -> Result<String, fmt::Error> {
        let mut block = String::new();
        writeln!(block, "chain {} ({})", id.0, chain.direction)?;
        for rule in chain.rules.iter() {
            writeln!(block, "  {}", self.rule_line(rule, chain.direction))?;
        }
        writeln!(block, "  {}", self.end_line(&chain.end))?;
        Ok(block)
    }
}

fn with_comment(line: &str, comment: impl fmt::Display) -> String {
    format!("{line:<COMMENT_COLUMN$} # {comment}")
}

/// The pods with their chains, then the chains, then the sizes of the sets.
impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pods = BTreeMap::<(&PodName, PodChain, PodChain), Vec<String>>::new();
        for (address, local) in &self.local {
            let key = (&local.pod, local.egress, local.ingress);
            pods.entry(key).or_default().push(address.to_string());
        }
        for ((pod, egress, ingress), addresses) in pods {
            writeln!(
                f,
                "pod {pod} {}: egress {egress}, ingress {ingress}",
                addresses.join(" ")
            )?;
        }
        for (id, chain) in &self.chains {
            write!(f, "\n{}", self.chain_block(*id, chain)?)?;
        }
        if !self.sets.is_empty() {
            writeln!(f)?;
        }
        for (id, set) in &self.sets {
            let elements = set.elements().map(|it| format!(", elements: {}", it.len()));
            let elements = elements.unwrap_or_default();
            writeln!(f, "set {}: {}{elements}", id.0, set.description)?;
        }
        Ok(())
    }
}

impl fmt::Display for PodChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided => f.write_str("undecided"),
            Self::NotIsolated => f.write_str("not isolated"),
            Self::Chain(id) => write!(f, "chain {}", id.0),
        }
    }
}
