//! Which pod has which address.
//!
//! The ledger of this node knows best: what it says of an address counts alone. Of other addresses the
//! pods say themselves that they have them, and for a while two may say it: the one that had it and
//! the one that has it. Both count then, in whichever order the events come.

use std::net::IpAddr;

use super::Cluster;
use super::ids::PodId;
use super::pod_record::PodRecord;
use crate::rules::PodName;

impl Cluster {
    /// The pods that have an address.
    pub fn owners(&self, address: IpAddr) -> Vec<PodId> {
        let has_addresses = |id: &PodId| self.pod(*id).is_some_and(PodRecord::has_addresses);
        if let Some(local) = self.local.holder(address) {
            return self
                .identify(local)
                .ok()
                .filter(has_addresses)
                .into_iter()
                .collect();
        }
        let claims = self.claims.get(&address).into_iter().flatten().copied();
        claims.filter(|id| !self.is_local(*id)).collect()
    }

    /// The addresses of a pod: those of the ledger, if it is a pod of this node.
    pub fn addresses_of(&self, id: PodId) -> Vec<IpAddr> {
        let Some(record) = self.pod(id).filter(|it| it.has_addresses()) else {
            return Vec::new();
        };
        if self.is_local(id) {
            let locals = self.local.named(&record.name);
            let locals = locals.filter(|it| self.identify(it) == Ok(id));
            let held = locals.flat_map(|local| {
                let addresses = local.addresses.iter().copied();
                addresses.filter(|it| self.local.holder(*it).is_some_and(|it| it.id == local.id))
            });
            return held.collect();
        }
        let addresses = record.addresses.iter().copied();
        addresses
            .filter(|it| self.local.holder(*it).is_none())
            .collect()
    }

    /// Every address that has to do with a pod's name: those in the API and those in the ledger.
    pub(crate) fn addresses_named(&self, name: &PodName) -> Vec<IpAddr> {
        let id = self.pod_id(&name.namespace, &name.name);
        let record = id.and_then(|id| self.pod(id));
        let of_record = record.into_iter().flat_map(|it| it.addresses.iter());
        let of_ledger = self.local.named(name).flat_map(|it| it.addresses.iter());
        of_record.chain(of_ledger).copied().collect()
    }

    /// Whether it is known to be a pod of this node.
    pub fn is_local(&self, id: PodId) -> bool {
        let record = self.pod(id).filter(|it| it.is_name_local);
        record.is_some_and(|it| {
            let mut locals = self.local.named(&it.name);
            locals.any(|local| self.identify(local) == Ok(id))
        })
    }
}
