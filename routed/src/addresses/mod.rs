//! Manages the node's pod addresses: claims subnets before they are needed, gives empty ones back,
//! and frees addresses and interfaces of pods that are gone without a DEL.
//!
//! Runs on its own thread, because it waits for etcd and for the lock of the ledger. It checks when
//! an address is allocated or freed, and at intervals. Every step may be interrupted and repeated.

pub(crate) mod capacity;
pub(crate) mod ledger;
pub(crate) mod subnets;
pub(crate) mod sweep;
pub(crate) mod sweeper;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use daemonkit::OnChange;
use daemonkit::folder_watch::{self, FolderWatch};
use ipam::{Disk, Ledger, SubnetUsage, since_boot};
use ipnet::IpNet;
use registry::Network;
use registry::owned::Owned;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tracing::{debug, warn};
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName};

use crate::addresses::capacity::{Need, needs};
use crate::addresses::sweeper::Sweeper;
use crate::timeouts::{
    ADDRESS_CHECK_COOLDOWN_FACTOR, FAILED_ADDRESS_CHECK_INTERVAL, MAX_ADDRESS_CHECK_INTERVAL,
    MIN_ADDRESS_CHECK_INTERVAL,
};

/// What the daemon hears of the manager.
#[derive(Debug)]
pub(crate) enum AddressEvent {
    /// The node's claims changed.
    Owned(Owned),
    /// The addresses cannot be managed, for this reason; `None` once they can be again.
    Failure(Option<String>),
}

/// Any error: it is only logged.
type AnyError = Box<dyn Error + Send + Sync>;

/// Manages the addresses of one node.
pub(crate) struct AddressManager {
    conf: IpamConfig,
    network: Network,
    node: NodeName,
    machine: MachineId,
    /// The folder of `subnets.json`, which lists the subnets that the node owns.
    folder: PathBuf,
    /// The folder of the ledger.
    ledger: PathBuf,
    sweeper: Sweeper,
    owned: Option<Owned>,
    /// Since when each subnet has been empty.
    empty_since: BTreeMap<IpNet, Instant>,
    /// The pod CIDRs of which no subnet could be claimed.
    shortages: BTreeMap<IpNet, Shortage>,
    failure: OnChange,
}

#[derive(Debug, Default)]
struct Shortage {
    failures: u32,
    retry_at: Option<Instant>,
    failure: OnChange,
}

impl AddressManager {
    /// The manager of `node`, whose `subnets.json` is in `folder` and whose ledger is the folder
    /// `ledger`.
    pub(crate) fn new(
        conf: IpamConfig,
        node: NodeName,
        machine: MachineId,
        folder: PathBuf,
        ledger: PathBuf,
    ) -> Self {
        Self {
            network: Network::from(&conf),
            sweeper: Sweeper::new(&conf),
            conf,
            node,
            machine,
            folder,
            ledger,
            owned: None,
            empty_since: BTreeMap::new(),
            shortages: BTreeMap::new(),
            failure: OnChange::default(),
        }
    }

    /// Runs until the receiver of `events` is closed.
    pub(crate) async fn run(mut self, events: mpsc::Sender<AddressEvent>) {
        let mut watch = FolderWatch::new(&self.ledger.join("addresses"), folder_watch::NAMES).ok();
        loop {
            let began = Instant::now();
            let next = match self.check(watch.as_ref(), &events).await {
                Ok(next) => {
                    if self.failure.clear() {
                        let _ = events.send(AddressEvent::Failure(None)).await;
                    }
                    next
                }
                Err(error) => {
                    let text = format!("cannot manage the addresses of this node: {error}");
                    if self.failure.changed(&text) {
                        warn!(%error, "{text}; trying again");
                        let _ = events.send(AddressEvent::Failure(Some(text))).await;
                    }
                    began + FAILED_ADDRESS_CHECK_INTERVAL
                }
            };
            if events.is_closed() {
                return;
            }
            sleep(MIN_ADDRESS_CHECK_INTERVAL.max(began.elapsed() * ADDRESS_CHECK_COOLDOWN_FACTOR))
                .await;
            tokio::select! {
                () = sleep_until(next.into()) => {}
                true = folder_changed(watch.as_mut()) => {}
            }
        }
    }

    /// Checks once, and sweeps, claims and gives back as needed. Returns when to check again at the
    /// latest.
    async fn check(
        &mut self,
        watch: Option<&FolderWatch>,
        events: &mpsc::Sender<AddressEvent>,
    ) -> Result<Instant, AnyError> {
        let ledger = self.open()?;
        if let Some(watch) = watch {
            watch.renew()?;
        }
        let now = Instant::now();
        self.reload_owned(events).await?;
        let subnets = self.owned.as_ref().map_or(&[][..], |owned| &owned.subnets);
        let next_sweep = self.sweeper.sweep(&ledger, subnets, now)?;
        let mut next = next_sweep.min(now + MAX_ADDRESS_CHECK_INTERVAL);
        for pod_cidr in self.network.pod_cidrs.clone() {
            while let Some(need) = self.next_need(&pod_cidr, &mut next)? {
                let done = match need {
                    _ if self.conf.kubernetes.is_some() => {
                        self.note_full(&pod_cidr);
                        false
                    }
                    Need::Claim => self.claim(&pod_cidr, &mut next).await,
                    Need::GiveBack(subnet) => self.give_back(&subnet).await?,
                };
                self.reload_owned(events).await?;
                if !done {
                    break;
                }
            }
        }
        Ok(next)
    }

    /// The ledger, which is created if it is missing.
    fn open(&self) -> Result<Ledger, ipam::Error> {
        Ledger::create(Disk::new(self.ledger.clone()))
    }

    /// Reads which subnets the node owns, and sends them if they changed: `flatland-ipam` claims
    /// too.
    async fn reload_owned(&mut self, events: &mpsc::Sender<AddressEvent>) -> Result<(), AnyError> {
        let owned = Owned::load(&self.folder)?.filter(|owned| owned.node == self.node);
        if owned != self.owned {
            self.owned.clone_from(&owned);
            if let Some(owned) = owned {
                // A closed channel means that the daemon is stopping.
                let _ = events.send(AddressEvent::Owned(owned)).await;
            }
        }
        Ok(())
    }

    fn next_need(
        &mut self,
        pod_cidr: &IpNet,
        next: &mut Instant,
    ) -> Result<Option<Need>, AnyError> {
        let subnets = self.subnets_in(pod_cidr);
        let (exclude, cool_down) = (&self.conf.exclude, self.conf.cool_down);
        let usage = self
            .open()?
            .usage(&subnets, exclude, cool_down, since_boot()?)?;
        let now = Instant::now();
        self.note_empty(&usage, now, next);
        let empty_for = |subnet: &IpNet| now - self.empty_since.get(subnet).copied().unwrap_or(now);
        let reusable = ipam::reusable(&usage, self.conf.max_cooling_percent);
        let need = needs(&usage, reusable, empty_for, self.conf.give_back_after);
        if let Some(need) = need {
            debug!(subnet = %pod_cidr, "decided for pod CIDR {pod_cidr}: {need:?}, usage {usage:?}");
        }
        if need != Some(Need::Claim) {
            self.shortages.remove(pod_cidr);
        }
        Ok(need)
    }

    /// The node's subnets of one pod CIDR.
    fn subnets_in(&self, pod_cidr: &IpNet) -> Vec<IpNet> {
        let subnets = self.owned.iter().flat_map(|owned| &owned.subnets);
        subnets
            .filter(|subnet| self.network.pod_cidr_of(subnet) == Some(*pod_cidr))
            .copied()
            .collect()
    }

    /// Notes since when the subnets after the first are empty, and moves `next` forward to the time
    /// at which one of them may be given back.
    fn note_empty(&mut self, usage: &[SubnetUsage], now: Instant, next: &mut Instant) {
        for usage in usage.iter().skip(1) {
            if usage.held > 0 || usage.cooling > 0 {
                self.empty_since.remove(&usage.subnet);
                if usage.held == 0 {
                    *next = (*next).min(now + usage.cool_in);
                }
                continue;
            }
            let since = *self.empty_since.entry(usage.subnet).or_insert(now);
            let due = since + self.conf.give_back_after;
            if due > now {
                *next = (*next).min(due);
            }
        }
    }
}

/// Waits for a change in the folder. Returns `false` if there is no watch, or if it failed.
async fn folder_changed(watch: Option<&mut FolderWatch>) -> bool {
    match watch {
        Some(watch) => watch.changed().await.is_ok(),
        None => false,
    }
}
