//! The chains of a group of pods, from the policies that select it.

use std::collections::HashSet;
use std::sync::Arc;

use super::chains::ChainTable;
use super::draft::Draft;
use super::sets::{SetKey, SetTable};
use crate::cluster::{Cluster, GroupKey};
use crate::policies::{CompiledPeer, CompiledPolicy, CompiledRule, PolicyTier, PortMatch};
use crate::rules::{
    ChainEnd, ChainRule, PodChain, RuleChain, RulePeer, RulePorts, TrafficDirection,
};
use crate::selector::PodSelector;

/// What a chain is built with.
pub(super) struct ChainBuilder<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) sets: &'a mut SetTable,
    pub(super) chains: &'a mut ChainTable,
    pub(super) draft: &'a mut Draft,
}

impl ChainBuilder<'_> {
    /// The chain of a group for a direction, used once more.
    pub(super) fn build(&mut self, group: &GroupKey, direction: TrafficDirection) -> PodChain {
        let admin = self.selecting(PolicyTier::Admin, group);
        let admin = self.rules(&admin, group, direction);
        let rest = self.build_rest(group, direction);
        if admin.is_empty() {
            return rest;
        }
        let end = match rest {
            PodChain::Chain(next) => ChainEnd::Continue(next),
            PodChain::NotIsolated | PodChain::Undecided => ChainEnd::Accept,
        };
        self.acquire(direction, admin, end)
    }

    /// What comes after the policies of the tier `Admin`.
    fn build_rest(&mut self, group: &GroupKey, direction: TrafficDirection) -> PodChain {
        let mut isolating = self.selecting(PolicyTier::NetworkPolicy, group);
        isolating.retain(|it| it.does_isolate(direction));
        if isolating.is_empty() {
            let baseline = self.selecting(PolicyTier::Baseline, group);
            let baseline = self.rules(&baseline, group, direction);
            if baseline.is_empty() {
                return PodChain::NotIsolated;
            }
            return self.acquire(direction, baseline, ChainEnd::Accept);
        }
        let mut rules = self.rules(&isolating, group, direction);
        // Several policies often allow the same. The first in the order of the names is kept.
        let mut seen = HashSet::new();
        rules.retain(|it| seen.insert((it.peer.clone(), it.ports.clone())));
        let names = isolating.iter().map(|it| it.name.clone());
        self.acquire(direction, rules, ChainEnd::Deny(names.collect()))
    }

    fn selecting(&self, tier: PolicyTier, group: &GroupKey) -> Vec<Arc<CompiledPolicy>> {
        self.cluster.selecting(tier, group).cloned().collect()
    }

    fn acquire(
        &mut self,
        direction: TrafficDirection,
        rules: Vec<ChainRule>,
        end: ChainEnd,
    ) -> PodChain {
        let chain = RuleChain {
            direction,
            rules,
            end,
        };
        PodChain::Chain(
            self.chains
                .acquire(chain, self.cluster, self.sets, self.draft),
        )
    }

    fn rules(
        &mut self,
        policies: &[Arc<CompiledPolicy>],
        group: &GroupKey,
        direction: TrafficDirection,
    ) -> Vec<ChainRule> {
        let mut rules = Vec::new();
        for rule in policies.iter().flat_map(|it| it.rules(direction)) {
            for peer in &rule.peers {
                self.add_rules(rule, peer, group, direction, &mut rules);
            }
        }
        rules
    }

    /// The rules of a chain for one peer of a rule: one for each range of ports.
    fn add_rules(
        &mut self,
        rule: &CompiledRule,
        peer: &CompiledPeer,
        group: &GroupKey,
        direction: TrafficDirection,
        rules: &mut Vec<ChainRule>,
    ) {
        let Some(ports) = &rule.ports else {
            let peer = self.peer(peer);
            rules.push(chain_rule(rule, peer, RulePorts::Any));
            return;
        };
        for port in ports {
            match (port, direction) {
                (PortMatch::Range { .. }, _) => {
                    let peer = self.peer(peer);
                    rules.extend(numbers(port, group).map(|it| chain_rule(rule, peer.clone(), it)));
                }
                (PortMatch::Named { .. }, TrafficDirection::Ingress) => {
                    // The port is the selected pod's own: without it no set is needed either.
                    for numbers in numbers(port, group).collect::<Vec<_>>() {
                        let peer = self.peer(peer);
                        rules.push(chain_rule(rule, peer, numbers));
                    }
                }
                (PortMatch::Named { name, protocol }, TrafficDirection::Egress) => {
                    let (peer, pods) = match peer {
                        CompiledPeer::Pods(pods) => (RulePeer::Everything, pods.clone()),
                        other => (self.peer(other), PodSelector::everything()),
                    };
                    let key = SetKey::Ports {
                        pods,
                        name: Arc::clone(name),
                        protocol: *protocol,
                    };
                    let ports = RulePorts::Named(self.ensure(key));
                    rules.push(chain_rule(rule, peer, ports));
                }
            }
        }
    }

    fn peer(&mut self, peer: &CompiledPeer) -> RulePeer {
        match peer {
            CompiledPeer::Everything => RulePeer::Everything,
            CompiledPeer::Pods(pods) => RulePeer::Pods(self.ensure(SetKey::Pods(pods.clone()))),
            CompiledPeer::Networks(networks) => match networks.single() {
                Some(network) => RulePeer::Network(network),
                None => RulePeer::Networks(self.ensure(SetKey::Networks(networks.clone()))),
            },
        }
    }

    fn ensure(&mut self, key: SetKey) -> crate::rules::SetId {
        self.sets.ensure(key, self.cluster, self.draft)
    }
}

fn chain_rule(rule: &CompiledRule, peer: RulePeer, ports: RulePorts) -> ChainRule {
    ChainRule {
        action: rule.action,
        peer,
        ports,
        source: rule.source.clone(),
    }
}

/// Ports by number; those with a name as the pods of the group have them.
fn numbers(port: &PortMatch, group: &GroupKey) -> impl Iterator<Item = RulePorts> {
    let (range, named) = match port {
        PortMatch::Range {
            protocol,
            first,
            last,
        } => (Some((*protocol, *first, *last)), None),
        PortMatch::Named { name, protocol } => (None, Some((name, *protocol))),
    };
    let of_pods = group.ports.iter().filter(move |it| {
        named.is_some_and(|(name, protocol)| {
            it.name == **name && protocol.is_none_or(|of_rule| of_rule == it.protocol)
        })
    });
    let of_pods = of_pods.map(|it| (it.protocol, it.port, it.port));
    range
        .into_iter()
        .chain(of_pods)
        .map(|(protocol, first, last)| RulePorts::Range {
            protocol,
            first,
            last,
        })
}
