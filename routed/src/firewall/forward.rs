//! FORWARD chains of other tools that drop pods' packets.
//!
//! An accept in our own table would not help: a packet passes only if every chain at the hook
//! accepts it. So rules of ours accept pods in the chain that would drop them, if it is iptables'
//! FORWARD chain, right before the rule or policy that drops everything. For other chains the log
//! says which rules to add.

use ipnet::IpNet;
use wire::nft::{
    AddressField, BaseChain, Expression, FoundRule, Hook, IpVersion, NftCommand, NftRule,
    NftVerdict, TableFamily, TableId, Term, prefixes,
};
use wire::spoof_guard;

/// The comment that marks our rules in chains of other programs.
pub(super) const COMMENT: &str = "flatland: pods";

/// The table and the chain of iptables for forwarded packets.
const TABLE: &str = "filter";
pub(super) const CHAIN: &str = "FORWARD";

/// The iptables table of an IP version.
pub(super) fn iptables_table(version: IpVersion) -> TableId {
    TableId::new(version.family(), TABLE)
}

/// Whether it is a FORWARD chain of iptables.
pub(super) fn is_iptables_chain(table: &TableId, chain: &str) -> bool {
    let known = [IpVersion::V4, IpVersion::V6].map(iptables_table);
    known.contains(table) && chain == CHAIN
}

/// Whether the chain drops everything that no rule of it accepts.
pub(super) fn drops(chain: &BaseChain, rules: &[FoundRule]) -> bool {
    chain.policy == NftVerdict::Drop || rules.iter().any(drops_everything)
}

/// The commands that let pods pass through an iptables chain that drops, and remove our rules from
/// one that does not.
pub(super) fn plan(chain: &BaseChain, rules: &[FoundRule], pod_cidrs: &[IpNet]) -> Vec<NftCommand> {
    let is_ours = |rule: &&FoundRule| rule.comment.as_deref() == Some(COMMENT);
    let ours: Vec<_> = rules.iter().filter(is_ours).collect();
    let wanted = if drops(chain, rules) {
        rules_for(chain.table.family, pod_cidrs)
    } else {
        Vec::new()
    };
    let blocking_rule = rules.iter().position(drops_everything);
    let last = rules.iter().rposition(|rule| is_ours(&rule));
    let in_place = last.is_none_or(|last| blocking_rule.is_none_or(|rule| last < rule));
    let expressions = |rule: &NftRule| rule.expressions(chain.table.family);
    let is_same = ours.len() == wanted.len()
        && ours
            .iter()
            .zip(&wanted)
            .all(|(found, wanted)| found.expressions == expressions(wanted));
    if is_same && in_place {
        return Vec::new();
    }
    let add = wanted.into_iter().map(|rule| NftCommand::AddRule {
        table: chain.table.clone(),
        chain: chain.name.clone(),
        before: blocking_rule.map(|index| rules[index].handle),
        rule,
    });
    let remove = ours.iter().map(|rule| NftCommand::DelRule {
        table: chain.table.clone(),
        chain: chain.name.clone(),
        handle: rule.handle,
    });
    add.chain(remove).collect()
}

/// The same rules as iptables would make, so that it can list them.
fn rules_for(family: TableFamily, pod_cidrs: &[IpNet]) -> Vec<NftRule> {
    let cidrs = pod_cidrs_of_family(family, pod_cidrs);
    let each = cidrs.flat_map(|cidr| [Term::from(cidr), Term::to(cidr)]);
    each.map(|term| {
        let terms = [term, Term::Counter, Term::Verdict(NftVerdict::Accept)];
        NftRule::new(terms).comment(COMMENT)
    })
    .collect()
}

/// The pod CIDRs whose packets a table of that family sees.
fn pod_cidrs_of_family(family: TableFamily, pod_cidrs: &[IpNet]) -> impl Iterator<Item = IpNet> {
    let fits = move |cidr: &&IpNet| match IpVersion::of(cidr.network()) {
        IpVersion::V4 => family != TableFamily::Ip6,
        IpVersion::V6 => family != TableFamily::Ip,
    };
    pod_cidrs.iter().filter(fits).copied()
}

/// Whether a rule drops every packet that reaches it.
fn drops_everything(rule: &FoundRule) -> bool {
    let has_no_effect = |step: &&Expression| match step {
        Expression::Counter | Expression::Comment(_) | Expression::Log { .. } => true,
        Expression::Other(name) => name == "log",
        _ => false,
    };
    let mut expressions = rule.expressions.iter().filter(|step| !has_no_effect(step));
    let drops = match expressions.next() {
        Some(Expression::Verdict(NftVerdict::Drop)) => true,
        Some(Expression::Other(name)) => {
            ["reject", "target REJECT", "target DROP"].contains(&name.as_str())
        }
        _ => false,
    };
    drops && expressions.next().is_none()
}

/// Whether it is a chain at the forward hook of another program than iptables that may drop pods'
/// packets.
pub(super) fn is_foreign(chain: &BaseChain) -> bool {
    let sees_pods = matches!(
        chain.table.family,
        TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet
    );
    sees_pods
        && chain.hook.number == Hook::FORWARD
        && chain.table != spoof_guard::table()
        && !is_iptables_chain(&chain.table, &chain.name)
}

/// The advice for a chain that drops everything that no rule of it accepts; `None` if the rules of
/// its table mention all pod CIDRs, or if it sees no pods.
pub(super) fn advice(
    chain: &BaseChain,
    table_rules: &[FoundRule],
    pod_cidrs: &[IpNet],
) -> Option<String> {
    let chain_rules: Vec<FoundRule> = table_rules
        .iter()
        .filter(|rule| rule.chain == chain.name)
        .cloned()
        .collect();
    if !drops(chain, &chain_rules) {
        return None;
    }
    let mentioned: Vec<_> = table_rules
        .iter()
        .flat_map(|rule| prefixes(&rule.expressions))
        .collect();
    let missing: Vec<IpNet> = pod_cidrs_of_family(chain.table.family, pod_cidrs)
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
    let fix = if *table == TableId::new(TableFamily::Inet, "firewalld") {
        firewalld_commands(&missing)
    } else {
        nft_commands(chain, &missing)
    };
    Some(format!(
        "chain {name} of table {table} drops packets from and to pods, and no rule of another table \
         can change that; accept them there: {fix}"
    ))
}

/// The trusted zone for packets from pods, and a policy for packets to them.
fn firewalld_commands(pod_cidrs: &[IpNet]) -> String {
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

fn nft_commands(chain: &BaseChain, pod_cidrs: &[IpNet]) -> String {
    let BaseChain { table, name, .. } = chain;
    let commands = pod_cidrs.iter().flat_map(|cidr| {
        [Term::from(*cidr), Term::to(*cidr)]
            .map(|term| format!("nft insert rule {table} {name} {term} accept"))
    });
    commands.collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
mod tests;
