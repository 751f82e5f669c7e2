//! One attempt to join the network: name, presence, subnets, in this order.

use ipnet::IpNet;
use registry::owned::{self, NodeClaims, Owned};
use registry::{Error, NodeRecord, Policy, Presence, PresenceState, Registration};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::error;

use super::{DesiredRegistration, Membership, MembershipOutcome, presence, registration};
use crate::addresses::ledger;
use crate::timeouts::JOIN_RETRY_BACKOFF;

impl Membership {
    pub(super) async fn join(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Result<Owned, Error> {
        if !desired.lost.is_empty() {
            for (subnet, owner) in &desired.lost {
                let node = &self.node;
                error!(
                    %node,
                    %subnet,
                    peer = %owner,
                    "subnet {subnet} belongs to node {owner} now: node {node} hands out no more \
                     addresses from it"
                );
            }
            // First of all: whatever fails later, no more addresses of these are allocated.
            self.disown(|subnet| desired.lost.contains_key(subnet), outcomes)
                .await?;
        }
        self.register_name(desired, outcomes).await?;
        // Subnets only with the presence: of two clones that start at once, one gets it.
        let mut failures = 0;
        while !self.become_present(&desired.record, outcomes).await? {
            failures += 1;
            sleep(JOIN_RETRY_BACKOFF.pause(failures)).await;
            self.register_name(desired, outcomes).await?;
        }
        let network = self.conf.network.as_str();
        let under_lock: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let owned = self.claims().renew_under_lock(under_lock).await?;
        self.log_stranded(&owned);
        Ok(owned)
    }

    /// Makes sure that the registry has this node's record. If another machine holds the name, or if
    /// Kubernetes took the node's pod CIDRs, this one hands out no more addresses.
    async fn register_name(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Result<(), Error> {
        let registration = match self.registry.register(&self.node, &desired.record).await {
            Err(taken @ (Error::NodeTaken { .. } | Error::NoPodCidrs { .. })) => {
                // The other machine allocates from this node's subnets too. A Node that is made anew
                // has other pod CIDRs, and Kubernetes gives the former ones to the next node.
                self.disown(|_| true, outcomes).await?;
                return Err(taken);
            }
            registration => registration?,
        };
        registration::log_registration(&self.node, &self.folder, &registration, &desired.record)?;
        if let Registration::Updated { from } | Registration::Resumed { from } = &registration {
            self.foreign_record = Some(from.clone());
        }
        let is_new = matches!(
            registration,
            Registration::New | Registration::TookOver { .. }
        );
        if let Some((_, before)) = self.presence.take_if(|_| is_new) {
            // The registry deleted it with the old record.
            before.stop().await;
        }
        Ok(())
    }

    fn claims(&self) -> NodeClaims<'_> {
        NodeClaims {
            registry: &self.registry,
            folder: &self.folder,
            node: &self.node,
            machine: self.machine.as_str(),
        }
    }

    /// Removes the `lost` subnets from `subnets.json`, so that no more addresses of them are
    /// allocated. Needs no registry.
    async fn disown(
        &mut self,
        lost: impl Fn(&IpNet) -> bool,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Result<(), Error> {
        let network = self.conf.network.as_str();
        let under_lock: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let lock_timeout = Policy::default().operation_timeout;
        let left = self.claims().disown(lock_timeout, lost, under_lock).await?;
        if let Some(owned) = left {
            self.log_stranded(&owned);
            // If the channel is full, the loop reads the file later.
            drop(outcomes.try_send(MembershipOutcome::SubnetsLost(owned)));
        }
        Ok(())
    }

    fn log_stranded(&mut self, owned: &Owned) {
        match ledger::stranded_pods(&self.conf.network, &owned.subnets) {
            None => drop(self.stranded.clear()),
            Some(text) => {
                if self.stranded.changed(&text) {
                    error!("{text}");
                }
            }
        }
    }

    /// Starts to show this node as present, unless it is shown already. Returns whether it is
    /// present; `false` if that was refused.
    async fn become_present(
        &mut self,
        record: &NodeRecord,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Result<bool, Error> {
        if self
            .presence
            .as_ref()
            .is_none_or(|(shown, _)| shown != record)
        {
            if let Some((_, before)) = self.presence.take() {
                before.stop().await;
            }
            let presence = Presence {
                session: record.session.clone().unwrap_or_default(),
                address: record.addresses.first().copied(),
                version: wire::VERSION.to_owned(),
                since: Some(self.since),
            };
            let machine = self.machine.as_str();
            let handle = self.registry.keep_presence(&self.node, machine, presence);
            let (node, state) = (self.node.clone(), handle.state());
            tokio::spawn(presence::report_state(node, state, outcomes.clone()));
            self.presence = Some((record.clone(), handle));
        }
        let Some((_, handle)) = &self.presence else {
            return Ok(false);
        };
        let state = presence::settled(handle, self.policy.operation_timeout).await;
        if let PresenceState::Refused { .. } = state {
            if let Some((_, handle)) = self.presence.take() {
                handle.stop().await;
            }
            return Ok(false);
        }
        match state {
            PresenceState::Lost { why } => Err(self.registry.unreachable(why)),
            _ => Ok(true),
        }
    }
}
