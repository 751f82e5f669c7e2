//! Claims further subnets for this node, and gives empty ones back.

use std::time::Instant;

use ipam::{Disk, Ledger};
use ipnet::IpNet;
use registry::owned::NodeClaims;
use registry::{Policy, Registry};
use tracing::{info, warn};

use crate::addresses::{AddressManager, AnyError};
use crate::text::list;
use crate::timeouts::CLAIM_RETRY_BACKOFF;

impl AddressManager {
    /// A registry for one operation: a connection that is used once a day is not kept open.
    fn registry(&self) -> Result<Registry, AnyError> {
        let policy = Policy::default();
        Ok(Registry::open_on_node(&self.conf, &self.folder, policy)?)
    }

    fn claims<'a>(&'a self, registry: &'a Registry) -> NodeClaims<'a> {
        NodeClaims {
            registry,
            folder: &self.folder,
            node: &self.node,
            machine: self.machine.as_str(),
        }
    }

    /// Says once that few addresses are left in the subnets of Kubernetes: it gives no further ones,
    /// so nothing is tried.
    pub(super) fn note_full(&mut self, pod_cidr: &IpNet) {
        let (node, subnets) = (&self.node, list(self.subnets_in(pod_cidr)));
        let text = format!(
            "few addresses are left in {subnets}: Kubernetes gives node {node} its podCIDRs and no \
             others; let fewer pods run on it (the kubelet's maxPods), or add nodes"
        );
        let shortage = self.shortages.entry(*pod_cidr).or_default();
        if shortage.failure.changed(&text) {
            warn!(%node, subnet = %subnets, "{text}");
        }
    }

    /// Claims a further subnet, unless the last attempt failed a moment ago. Returns whether the
    /// node got one.
    pub(super) async fn claim(&mut self, pod_cidr: &IpNet, next: &mut Instant) -> bool {
        let now = Instant::now();
        let retry_at = self
            .shortages
            .get(pod_cidr)
            .and_then(|shortage| shortage.retry_at);
        if let Some(retry_at) = retry_at.filter(|at| *at > now) {
            *next = (*next).min(retry_at);
            return false;
        }
        let known = self.subnets_in(pod_cidr);
        let result = match self.registry() {
            Ok(registry) => {
                let claimed = self.claims(&registry).further(pod_cidr, &known).await;
                claimed.map_err(AnyError::from)
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(owned) => {
                let new = owned
                    .subnets
                    .iter()
                    .filter(|subnet| !known.contains(subnet));
                let new: Vec<_> = new
                    .filter(|subnet| self.network.pod_cidr_of(subnet) == Some(*pod_cidr))
                    .copied()
                    .collect();
                let (node, subnets) = (&self.node, list(&new));
                info!(
                    %node,
                    subnet = %subnets,
                    "few addresses are left: node {node} now owns {subnets} too"
                );
                self.shortages.remove(pod_cidr);
                !new.is_empty()
            }
            Err(error) => {
                let shortage = self.shortages.entry(*pod_cidr).or_default();
                shortage.failures += 1;
                let retry_at = Instant::now() + CLAIM_RETRY_BACKOFF.pause(shortage.failures);
                shortage.retry_at = Some(retry_at);
                *next = (*next).min(retry_at);
                let text = format!("few addresses are left in {}: {error}", list(&known));
                if shortage.failure.changed(&text) {
                    warn!(subnet = %list(&known), %error, "{text}; trying again");
                }
                false
            }
        }
    }

    /// Gives a subnet back if it is still empty. Returns whether it was.
    pub(super) async fn give_back(&mut self, subnet: &IpNet) -> Result<bool, AnyError> {
        let ledger = self.ledger.clone();
        let network = self.conf.network.clone();
        let release = move |delete_claim: &dyn Fn() -> Result<(), registry::Error>| {
            let ledger = Ledger::create(Disk::new(ledger))?;
            let Some(session) = ledger.try_lock()? else {
                // Another process is allocating an address, perhaps of this subnet.
                return Ok::<_, AnyError>(false);
            };
            // The ledger may have lost addresses of running pods since it was last compared.
            session.restore(&ipam::read_kernel_pods(&network)?, &[*subnet])?;
            session.release_subnet(subnet, || Ok(delete_claim()?))
        };
        let registry = self.registry()?;
        let done = self.claims(&registry).give_back(subnet, release).await?;
        self.empty_since.remove(subnet);
        if done {
            let node = &self.node;
            info!(
                %node,
                %subnet,
                "subnet {subnet} of node {node} was empty for long enough and is given back"
            );
        }
        Ok(done)
    }
}
