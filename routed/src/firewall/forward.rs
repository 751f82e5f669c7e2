//! Where other tools drop what a node forwards.
//!
//! An accept in a table of ours would not help: a packet passes only if every chain at the hook
//! lets it. So pods are accepted in the chain that would drop them, if it is iptables' FORWARD, by
//! rules of ours that stand where they override nothing but the drop of everything. Whoever keeps
//! another chain is told what to write into it.

use ipnet::IpNet;
use wire::nft::{
    AddressField, BaseChain, Command, Expression, Family, FoundRule, Hook, Rule, TableId, Term,
    Verdict, Version, prefixes,
};
use wire::spoof_guard;

/// By this comment our rules in chains of others are known.
pub(super) const COMMENT: &str = "flatland: pods";

/// The table and the chain that iptables keeps for what is forwarded.
const TABLE: &str = "filter";
pub(super) const CHAIN: &str = "FORWARD";

/// The table of iptables for that version.
pub(super) fn iptables_table(version: Version) -> TableId {
    let family = match version {
        Version::V4 => Family::Ip,
        Version::V6 => Family::Ip6,
    };
    TableId::new(family, TABLE)
}

/// Whether that is a chain of iptables for what is forwarded.
pub(super) fn is_iptables_chain(table: &TableId, chain: &str) -> bool {
    let known = [Version::V4, Version::V6].map(iptables_table);
    known.contains(table) && chain == CHAIN
}

/// Whether the chain drops what none of its rules mentions.
pub(super) fn drops(chain: &BaseChain, rules: &[FoundRule]) -> bool {
    chain.policy == Verdict::Drop || rules.iter().any(drops_everything)
}

/// What makes pods pass through a chain of iptables that drops, and takes our rules out of one
/// that does not.
pub(super) fn plan(chain: &BaseChain, rules: &[FoundRule], pod_cidrs: &[IpNet]) -> Vec<Command> {
    let is_ours = |rule: &&FoundRule| rule.comment.as_deref() == Some(COMMENT);
    let ours: Vec<_> = rules.iter().filter(is_ours).collect();
    let wanted = if drops(chain, rules) {
        rules_for(chain.table.family, pod_cidrs)
    } else {
        Vec::new()
    };
    let wall = rules.iter().position(drops_everything);
    let last = rules.iter().rposition(|rule| is_ours(&rule));
    let in_place = last.is_none_or(|last| wall.is_none_or(|wall| last < wall));
    let steps = |rule: &Rule| rule.expressions(chain.table.family);
    let is_same = ours.len() == wanted.len()
        && ours
            .iter()
            .zip(&wanted)
            .all(|(found, wanted)| found.expressions == steps(wanted));
    if is_same && in_place {
        return Vec::new();
    }
    let add = wanted.into_iter().map(|rule| Command::AddRule {
        table: chain.table.clone(),
        chain: chain.name.clone(),
        before: wall.map(|wall| rules[wall].handle),
        rule,
    });
    let remove = ours.iter().map(|rule| Command::DelRule {
        table: chain.table.clone(),
        chain: chain.name.clone(),
        handle: rule.handle,
    });
    add.chain(remove).collect()
}

/// As iptables would make them, so that it can list them.
fn rules_for(family: Family, pod_cidrs: &[IpNet]) -> Vec<Rule> {
    let cidrs = of_family(family, pod_cidrs);
    let each = cidrs.flat_map(|cidr| [Term::from(cidr), Term::to(cidr)]);
    each.map(|term| {
        let terms = [term, Term::Counter, Term::Verdict(Verdict::Accept)];
        Rule::new(terms).comment(COMMENT)
    })
    .collect()
}

/// Those that packets in a table of that family can have.
fn of_family(family: Family, pod_cidrs: &[IpNet]) -> impl Iterator<Item = IpNet> {
    let fits = move |cidr: &&IpNet| match Version::of(cidr.network()) {
        Version::V4 => family != Family::Ip6,
        Version::V6 => family != Family::Ip,
    };
    pod_cidrs.iter().filter(fits).copied()
}

/// Whether a rule drops whatever comes to it.
fn drops_everything(rule: &FoundRule) -> bool {
    let says_nothing = |step: &&Expression| match step {
        Expression::Counter | Expression::Comment(_) => true,
        Expression::Other(name) => name == "log",
        _ => false,
    };
    let mut steps = rule.expressions.iter().filter(|step| !says_nothing(step));
    let drops = match steps.next() {
        Some(Expression::Verdict(Verdict::Drop)) => true,
        Some(Expression::Other(name)) => {
            ["reject", "target REJECT", "target DROP"].contains(&name.as_str())
        }
        _ => false,
    };
    drops && steps.next().is_none()
}

/// Whether it is a chain for what is forwarded, neither ours nor of iptables, that may drop pods'
/// packets.
pub(super) fn is_foreign(chain: &BaseChain) -> bool {
    let sees_pods = matches!(chain.table.family, Family::Ip | Family::Ip6 | Family::Inet);
    sees_pods
        && chain.hook.number == Hook::FORWARD
        && chain.table != spoof_guard::table()
        && !is_iptables_chain(&chain.table, &chain.name)
}

/// What to tell whoever keeps a chain that drops what none of its rules mentions, unless the rules
/// of its table mention all pods; `None` if that is so, or if there are no pods in question.
pub(super) fn advice(
    chain: &BaseChain,
    of_table: &[FoundRule],
    pod_cidrs: &[IpNet],
) -> Option<String> {
    let of_chain: Vec<FoundRule> = of_table
        .iter()
        .filter(|rule| rule.chain == chain.name)
        .cloned()
        .collect();
    if !drops(chain, &of_chain) {
        return None;
    }
    let mentioned: Vec<_> = of_table
        .iter()
        .flat_map(|rule| prefixes(&rule.expressions))
        .collect();
    let missing: Vec<IpNet> = of_family(chain.table.family, pod_cidrs)
        .filter(|cidr| {
            let is_mentioned = |end| {
                let mut all = mentioned.iter();
                all.any(|(theirs, prefix)| *theirs == end && prefix.contains(cidr))
            };
            !(is_mentioned(AddressField::Source) && is_mentioned(AddressField::Destination))
        })
        .collect();
    if missing.is_empty() {
        return None;
    }
    let BaseChain { table, name, .. } = chain;
    let fix = if *table == TableId::new(Family::Inet, "firewalld") {
        firewalld(&missing)
    } else {
        nft(chain, &missing)
    };
    Some(format!(
        "chain {name} of table {table} drops what pods send and get through this node, and no rule \
         of another table can help that; let it accept them: {fix}"
    ))
}

/// The trusted zone for what pods send, and a policy for what others send to them.
fn firewalld(pod_cidrs: &[IpNet]) -> String {
    let sources: Vec<_> = pod_cidrs
        .iter()
        .map(|cidr| format!(" --add-source={cidr}"))
        .collect();
    let permanent = "firewall-cmd --permanent";
    [
        format!("{permanent} --zone=trusted{}", sources.concat()),
        format!("{permanent} --new-policy=flatland"),
        format!("{permanent} --policy=flatland --set-target=ACCEPT"),
        format!("{permanent} --policy=flatland --add-ingress-zone=ANY"),
        format!("{permanent} --policy=flatland --add-egress-zone=trusted"),
        "firewall-cmd --reload".to_owned(),
    ]
    .join(" && ")
}

fn nft(chain: &BaseChain, pod_cidrs: &[IpNet]) -> String {
    let BaseChain { table, name, .. } = chain;
    let commands = pod_cidrs.iter().flat_map(|cidr| {
        [Term::from(*cidr), Term::to(*cidr)]
            .map(|term| format!("nft insert rule {table} {name} {term} accept"))
    });
    commands.collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
mod tests;
