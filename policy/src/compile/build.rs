//! The chains of a group of pods, from the policies that select it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chains::ChainTable;
use super::draft::Draft;
use super::sets::{SetKey, SetTable};
use crate::api::NamedPort;
use crate::cluster::{Cluster, GroupKey};
use crate::policies::{CompiledPeer, CompiledPolicy, CompiledRule, PolicyTier, PortMatch};
use crate::rules::{
    ChainEnd, ChainRule, PodChain, RuleChain, RulePeer, RulePorts, SetId, TrafficDirection,
};
use crate::selector::PodSelector;

/// What a chain is built with.
pub(super) struct ChainBuilder<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) sets: &'a mut SetTable,
    pub(super) chains: &'a mut ChainTable,
    pub(super) draft: &'a mut Draft,
}

/// Chains that were built for the same policies, named ports and direction. A policy stands for itself
/// by its address: all of them live as long as this.
pub(super) type BuiltChains = HashMap<
    (
        Vec<*const CompiledPolicy>,
        Box<[NamedPort]>,
        TrafficDirection,
    ),
    PodChain,
>;

impl ChainBuilder<'_> {
    /// The chains of a group, for egress and for ingress, used once more.
    pub(super) fn build(&mut self, group: &GroupKey, built: &mut BuiltChains) -> [PodChain; 2] {
        let selecting = self.cluster.selecting(group);
        let policies: Vec<_> = selecting.iter().map(Arc::as_ptr).collect();
        TrafficDirection::ALL.map(|direction| {
            let key = (policies.clone(), group.ports.clone(), direction);
            if let Some(chain) = built.get(&key) {
                self.chains.share(*chain);
                return *chain;
            }
            let chain = self.build_direction(&selecting, group, direction);
            built.insert(key, chain);
            chain
        })
    }

    fn build_direction(
        &mut self,
        selecting: &[Arc<CompiledPolicy>],
        group: &GroupKey,
        direction: TrafficDirection,
    ) -> PodChain {
        let admin = self.rules(of_tier(selecting, PolicyTier::Admin), group, direction);
        let rest = self.build_rest(selecting, group, direction);
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
    fn build_rest(
        &mut self,
        selecting: &[Arc<CompiledPolicy>],
        group: &GroupKey,
        direction: TrafficDirection,
    ) -> PodChain {
        let isolating = of_tier(selecting, PolicyTier::NetworkPolicy);
        let isolating: Vec<_> = isolating.filter(|it| it.does_isolate(direction)).collect();
        if isolating.is_empty() {
            let baseline = of_tier(selecting, PolicyTier::Baseline);
            let baseline = self.rules(baseline, group, direction);
            if baseline.is_empty() {
                return PodChain::NotIsolated;
            }
            return self.acquire(direction, baseline, ChainEnd::Accept);
        }
        let names = isolating.iter().map(|it| it.name.clone()).collect();
        let mut rules = self.rules(isolating.into_iter(), group, direction);
        // Several policies often allow the same. The first in the order of the names is kept.
        let mut seen = HashSet::new();
        rules.retain(|it| seen.insert((it.peer.clone(), it.ports.clone())));
        self.acquire(direction, rules, ChainEnd::Deny(names))
    }

    fn acquire(
        &mut self,
        direction: TrafficDirection,
        rules: Vec<ChainRule>,
        end: ChainEnd,
    ) -> PodChain {
        let chain = RuleChain {
            direction,
            rules: rules.into(),
            end,
        };
        PodChain::Chain(
            self.chains
                .acquire(chain, self.cluster, self.sets, self.draft),
        )
    }

    fn rules<'a>(
        &mut self,
        policies: impl Iterator<Item = &'a Arc<CompiledPolicy>>,
        group: &GroupKey,
        direction: TrafficDirection,
    ) -> Vec<ChainRule> {
        let mut rules = Vec::new();
        for rule in policies.flat_map(|it| it.rules(direction)) {
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

    fn ensure(&mut self, key: SetKey) -> SetId {
        self.sets.ensure(key, self.cluster, self.draft)
    }
}

fn of_tier(
    policies: &[Arc<CompiledPolicy>],
    tier: PolicyTier,
) -> impl Iterator<Item = &Arc<CompiledPolicy>> {
    policies.iter().filter(move |it| it.tier == tier)
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
