//! Keeps house over the node's addresses: claims subnets before they are needed, gives back those
//! that are not, and frees what gone pods left behind.
//!
//! On a thread of its own, because it waits for etcd and for whoever works on the ledger. It looks
//! when an address comes or goes, and every now and then. Everything it does is safe to leave at any
//! point, and to repeat.

pub(crate) mod capacity;
pub(crate) mod folder_watch;
pub(crate) mod ledger;
pub(crate) mod subnets;
pub(crate) mod sweep;
pub(crate) mod sweeper;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipam::{Disk, Ledger, SubnetUsage, since_boot};
use ipnet::IpNet;
use registry::Network;
use registry::owned::Owned;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tracing::warn;
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName};

use crate::addresses::capacity::{Need, needs};
use crate::addresses::folder_watch::FolderWatch;
use crate::addresses::sweeper::Sweeper;
use crate::log::OnChange;

/// The least time between two looks, and how much longer than a look it is: a storm of pods costs
/// a tenth of a processor at most.
const REST: Duration = Duration::from_millis(100);
const REST_FACTOR: u32 = 10;

/// The longest time between two looks.
const LOOK: Duration = Duration::from_secs(30);

/// Whatever went wrong.
type AnyError = Box<dyn Error + Send + Sync>;

/// Who keeps house, and where.
pub(crate) struct AddressManager {
    conf: IpamConfig,
    network: Network,
    node: NodeName,
    machine: MachineId,
    /// Where the node keeps which subnets it owns.
    folder: PathBuf,
    /// The folder of the ledger.
    ledger: PathBuf,
    sweeper: Sweeper,
    owned: Option<Owned>,
    /// Since when subnets have been empty.
    empty_since: BTreeMap<IpNet, Instant>,
    /// Of which pod CIDRs no subnet could be claimed.
    shortages: BTreeMap<IpNet, Shortage>,
    trouble: OnChange,
}

#[derive(Debug, Default)]
struct Shortage {
    failures: u32,
    retry_at: Option<Instant>,
    failure: OnChange,
}

impl AddressManager {
    /// The steward of `node`, whose claims are remembered in `folder` and whose addresses are in
    /// the folder `ledger`.
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
            trouble: OnChange::default(),
        }
    }

    /// Keeps house for as long as somebody hears of it.
    pub(crate) async fn run(mut self, news: mpsc::Sender<Owned>) {
        let mut watch = FolderWatch::new(&self.ledger.join("addresses")).ok();
        loop {
            let began = Instant::now();
            let next = match self.check(watch.as_ref(), &news).await {
                Ok(next) => {
                    self.trouble.clear();
                    next
                }
                Err(why) => {
                    let text = format!("cannot look after the addresses of this node: {why}");
                    if self.trouble.changed(&text) {
                        warn!("{text}; trying again");
                    }
                    began + LOOK
                }
            };
            if news.is_closed() {
                return;
            }
            sleep(REST.max(began.elapsed() * REST_FACTOR)).await;
            tokio::select! {
                () = sleep_until(next.into()) => {}
                true = folder_changed(watch.as_mut()) => {}
            }
        }
    }

    /// Looks once, and does what is to be done. Returns when to look again at the latest.
    async fn check(
        &mut self,
        watch: Option<&FolderWatch>,
        news: &mpsc::Sender<Owned>,
    ) -> Result<Instant, AnyError> {
        self.open()?;
        if let Some(watch) = watch {
            watch.renew()?;
        }
        let now = Instant::now();
        let mut next = now + LOOK;
        next = next.min(self.sweeper.sweep(&self.open()?, now)?);
        self.reload_owned(news).await?;
        for pod_cidr in self.network.pod_cidrs.clone() {
            while let Some(need) = self.next_need(&pod_cidr, &mut next)? {
                let done = match need {
                    Need::Claim => self.claim(&pod_cidr, &mut next).await,
                    Need::GiveBack(subnet) => self.give_back(&subnet).await?,
                };
                self.reload_owned(news).await?;
                if !done {
                    break;
                }
            }
        }
        Ok(next)
    }

    /// The ledger, which is made if it is missing.
    fn open(&self) -> Result<Ledger, ipam::Error> {
        Ledger::create(Disk::new(self.ledger.clone()))
    }

    /// Reads what the node owns, and tells of it if it is news: `flatland-ipam` claims too.
    async fn reload_owned(&mut self, news: &mpsc::Sender<Owned>) -> Result<(), AnyError> {
        let owned = Owned::load(&self.folder)?.filter(|owned| owned.node == self.node);
        if owned != self.owned {
            self.owned.clone_from(&owned);
            if let Some(owned) = owned {
                // Nobody who hears it is the end of the daemon.
                let _ = news.send(owned).await;
            }
        }
        Ok(())
    }

    fn next_need(
        &mut self,
        pod_cidr: &IpNet,
        next: &mut Instant,
    ) -> Result<Option<Need>, AnyError> {
        let pool = self.subnets_in(pod_cidr);
        let (exclude, cool_down) = (&self.conf.exclude, self.conf.cool_down);
        let usage = self
            .open()?
            .usage(&pool, exclude, cool_down, since_boot()?)?;
        let now = Instant::now();
        self.note_empty(&usage, now, next);
        let empty_for = |subnet: &IpNet| now - self.empty_since.get(subnet).copied().unwrap_or(now);
        let need = needs(&usage, empty_for, self.conf.give_back_after);
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

    /// Notes since when subnets beyond the first are empty, and when they will have been for long
    /// enough.
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

/// Whether the watch heard of something; without a watch nothing is ever heard.
async fn folder_changed(watch: Option<&mut FolderWatch>) -> bool {
    match watch {
        Some(watch) => watch.changed().await.is_ok(),
        None => false,
    }
}
