//! Claims further subnets, and gives them back.

use std::time::{Duration, Instant};

use ipam::{Disk, Ledger};
use ipnet::IpNet;
use registry::owned::NodeClaims;
use registry::{Backoff, Policy, Registry};
use tracing::{info, warn};

use crate::addresses::{AddressManager, AnyError};
use crate::text::list;

/// Between tries to claim a subnet. Not longer than half the time for which a shortage is believed
/// (`registry::owned::shortage`).
const PAUSES: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

impl AddressManager {
    /// A registry for one claim: connections that are used once a day are not kept.
    fn registry(&self) -> Result<Registry, AnyError> {
        let policy = Policy::default();
        Ok(Registry::open_with(&self.conf, &self.folder, policy)?)
    }

    fn claims<'a>(&'a self, registry: &'a Registry) -> NodeClaims<'a> {
        NodeClaims {
            registry,
            folder: &self.folder,
            node: &self.node,
            machine: self.machine.as_str(),
        }
    }

    /// Claims a further subnet, unless that failed a moment ago. Returns whether it did.
    pub(super) async fn claim(&mut self, pod_cidr: &IpNet, next: &mut Instant) -> bool {
        let now = Instant::now();
        let retry_at = self.short.get(pod_cidr).and_then(|short| short.retry_at);
        if let Some(retry_at) = retry_at.filter(|at| *at > now) {
            *next = (*next).min(retry_at);
            return false;
        }
        let seen = self.pool(pod_cidr);
        let result = match self.registry() {
            Ok(registry) => {
                let claimed = self.claims(&registry).further(pod_cidr, &seen).await;
                claimed.map_err(AnyError::from)
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(owned) => {
                let new = owned.subnets.iter().filter(|subnet| !seen.contains(subnet));
                let new: Vec<_> = new
                    .filter(|subnet| self.network.pod_cidr_of(subnet) == Some(*pod_cidr))
                    .copied()
                    .collect();
                info!(
                    "few addresses are left: node {} now owns {} too",
                    self.node,
                    list(&new)
                );
                self.short.remove(pod_cidr);
                !new.is_empty()
            }
            Err(why) => {
                let short = self.short.entry(*pod_cidr).or_default();
                short.failures += 1;
                let retry_at = Instant::now() + PAUSES.pause(short.failures);
                short.retry_at = Some(retry_at);
                *next = (*next).min(retry_at);
                let text = format!("few addresses are left in {}: {why}", list(&seen));
                if short.said.changed(&text) {
                    warn!("{text}; trying again");
                }
                false
            }
        }
    }

    /// Gives an empty subnet back. Returns whether it was still empty.
    pub(super) async fn give_back(&mut self, subnet: &IpNet) -> Result<bool, AnyError> {
        let ledger = self.ledger.clone();
        let let_go = move |take_off: &dyn Fn() -> Result<(), registry::Error>| {
            let ledger = Ledger::create(Disk::new(ledger))?;
            let Some(session) = ledger.try_lock()? else {
                // Somebody is about to take an address, perhaps of this subnet.
                return Ok::<_, AnyError>(false);
            };
            session.release_subnet(subnet, || Ok(take_off()?))
        };
        let registry = self.registry()?;
        let done = self.claims(&registry).give_back(subnet, let_go).await?;
        self.empty.remove(subnet);
        if done {
            info!(
                "subnet {subnet} of node {} was empty for long enough and is given back",
                self.node
            );
        }
        Ok(done)
    }
}
