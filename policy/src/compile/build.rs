//! The chains of a group of pods, from the policies that select it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chains::ChainTable;
use super::draft::Draft;
use super::parts::{PeerPart, PortByName, PortPart, peer_parts, port_parts};
use super::sets::{SetKey, SetTable};
use crate::api::{L4Protocol, NamedPort};
use crate::cluster::{Cluster, GroupKey};
use crate::policies::{CompiledPolicy, CompiledRule, PolicyTier};
use crate::rules::{
    ChainEnd, ChainRule, PodChain, PortRange, RuleChain, RulePeer, RulePorts, SetId,
    TrafficDirection,
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
        let own = match direction {
            TrafficDirection::Ingress => Some(&*group.ports),
            TrafficDirection::Egress => None,
        };
        for rule in policies.flat_map(|it| it.rules(direction)) {
            let ports = port_parts(rule.ports.as_deref(), own);
            if ports.is_empty() {
                continue;
            }
            for peer in peer_parts(&rule.peers) {
                rules.extend(ports.iter().map(|ports| self.rule(rule, &peer, ports)));
            }
        }
        rules
    }

    fn rule(&mut self, rule: &CompiledRule, peer: &PeerPart, ports: &PortPart) -> ChainRule {
        let (peer, ports) = match (peer, ports) {
            // The set of the ports has only these pods.
            (PeerPart::Pods(pods), PortPart::Named(ports)) => {
                (RulePeer::Everything, self.named(pods.clone(), ports))
            }
            (peer, PortPart::Named(ports)) => {
                let ports = self.named(PodSelector::everything(), ports);
                (self.peer(peer), ports)
            }
            (peer, PortPart::Any) => (self.peer(peer), RulePorts::Any),
            (peer, PortPart::Numbers(protocol, ranges)) => {
                (self.peer(peer), self.numbers(*protocol, ranges))
            }
        };
        ChainRule {
            action: rule.action,
            peer,
            ports,
            source: rule.source.clone(),
        }
    }

    fn peer(&mut self, peer: &PeerPart) -> RulePeer {
        match peer {
            PeerPart::Everything => RulePeer::Everything,
            PeerPart::Pods(pods) => RulePeer::Pods(self.ensure(SetKey::Pods(pods.clone()))),
            PeerPart::Networks(networks) => {
                let only = match &**networks {
                    [network] => network.single(),
                    _ => None,
                };
                match only {
                    Some(prefix) => RulePeer::Network(prefix),
                    None => RulePeer::Networks(self.ensure(SetKey::Networks(Arc::clone(networks)))),
                }
            }
        }
    }

    fn named(&mut self, pods: PodSelector, ports: &Arc<[PortByName]>) -> RulePorts {
        let ports = Arc::clone(ports);
        RulePorts::Named(self.ensure(SetKey::NamedPorts { pods, ports }))
    }

    fn numbers(&mut self, protocol: L4Protocol, ranges: &Arc<[PortRange]>) -> RulePorts {
        if let [range] = **ranges {
            return RulePorts::Range { protocol, range };
        }
        let set = self.ensure(SetKey::PortRanges(protocol, Arc::clone(ranges)));
        RulePorts::Ranges { protocol, set }
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
