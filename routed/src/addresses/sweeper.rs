//! Frees addresses of pods that are gone without a DEL, and destroys host ends that an interrupted
//! ADD left. [`crate::addresses::sweep`] decides which.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use ipam::{Allocation, Ledger, since_boot};
use ipnet::IpNet;
use nix::errno::Errno;
use tracing::{info, warn};
use wire::add_lock;
use wire::conf::IpamConfig;
use wire::netlink::{self, Link, NetlinkRequest, NetlinkSocket};
use wire::paths::run_dir;
use wire::pod_link::host_interface_name;
use wire::timeouts::MIN_ORPHAN_AGE;

use crate::addresses::sweep::{OrphanLinks, Remains, Suspects, SweepAction};
use crate::kernel::Netlink;
use crate::text::list;
use crate::timeouts::{MAX_SWEEP_INTERVAL, MIN_SWEEP_INTERVAL};

/// Sweeps at intervals.
#[derive(Debug)]
pub(crate) struct Sweeper {
    network: String,
    grace: Duration,
    kernel: Netlink,
    suspects: Suspects,
    orphans: OrphanLinks,
    next: Option<Instant>,
}

impl Sweeper {
    /// A sweeper that is due at once.
    pub(crate) fn new(conf: &IpamConfig) -> Self {
        Self {
            network: conf.network.clone(),
            grace: conf.sweep_after,
            kernel: Netlink::default(),
            suspects: Suspects::default(),
            orphans: OrphanLinks::default(),
            next: None,
        }
    }

    /// Checks all held addresses of `ledger`, if that is due at `now` or the ledger is new: frees
    /// those of pods that are gone, and adds what the ledger has lost of the addresses of `subnets`.
    /// Returns when to sweep again.
    pub(crate) fn sweep(
        &mut self,
        ledger: &Ledger,
        subnets: &[IpNet],
        now: Instant,
    ) -> Result<Instant, ipam::Error> {
        let is_later = |next: &Instant| *next > now && !ledger.is_new();
        if let Some(next) = self.next.filter(is_later) {
            return Ok(next);
        }
        restore(&self.network, ledger, subnets)?;
        let held = ledger.inventory()?.held;
        let (kernel, network) = (&mut self.kernel, &self.network);
        let mut remains = |allocation: &Allocation| remains(kernel, network, allocation);
        let actions = self.suspects.observe(held, &mut remains, now, self.grace);
        for action in actions {
            match action {
                SweepAction::Free(address, allocation) => {
                    let (holder, netns) = (describe_holder(&allocation), netns(&allocation));
                    if ledger
                        .lock()?
                        .free_stale(address, &allocation, since_boot()?)?
                    {
                        info!(
                            %address,
                            path = netns,
                            "{address} of {holder} is freed: {netns} is gone, and no DEL came"
                        );
                    }
                }
                SweepAction::Warn(address, allocation) => warn!(
                    %address,
                            pod = allocation.pod(),
                    pod = allocation.pod(),
                    path = netns(&allocation),
                    "{address} of {} stays: {} is gone, but some process keeps the namespace, as the \
                     pod's interface {} is still there; find it with lsns -t net",
                    describe_holder(&allocation),
                    netns(&allocation),
                    interface(&self.network, &allocation).unwrap_or_default()
                ),
            }
        }
        if let Err(error) = self.destroy_orphans(now) {
            warn!(%error, "cannot destroy interfaces that an interrupted ADD left: {error}");
        }
        let wait = if self.suspects.any() || self.orphans.any() {
            self.grace / 2
        } else {
            self.grace
        };
        let next = now + wait.clamp(MIN_SWEEP_INTERVAL, MAX_SWEEP_INTERVAL);
        self.next = Some(next);
        Ok(next)
    }

    /// Destroys host ends that have had no alias, which names their attachment, for a while.
    fn destroy_orphans(&mut self, now: Instant) -> Result<(), netlink::Error> {
        let links = self.kernel.with(NetlinkSocket::links)?;
        let grace = self.grace.max(MIN_ORPHAN_AGE);
        let overdue = self.orphans.observe(&links, now, grace);
        // An ADD may still run: it may wait for its IPAM plugin, and that for other processes.
        let is_orphan =
            |link: &&Link| overdue.contains(&link.index) && !add_lock::is_held(&link.name);
        for link in links.iter().filter(is_orphan) {
            let request = NetlinkRequest::DelLink { index: link.index };
            match self.kernel.with(|socket| socket.apply_all(&[request])) {
                Err(error) if error.errno() == Some(Errno::ENODEV) => {}
                outcome => {
                    outcome?;
                    let name = &link.name;
                    info!(link = %name, "interface {name} is destroyed: its ADD was interrupted");
                }
            }
        }
        Ok(())
    }
}

/// Adds to `ledger` what it has lost: another program removed files while pods run.
pub(crate) fn restore(
    network: &str,
    ledger: &Ledger,
    subnets: &[IpNet],
) -> Result<(), ipam::Error> {
    if !ledger.is_incomplete(&ipam::read_kernel_pods(network)?, subnets)? {
        return Ok(());
    }
    let session = ledger.lock()?;
    // Again, as addresses may have been freed before it was locked.
    let restored = session.restore(&ipam::read_kernel_pods(network)?, subnets)?;
    if !restored.is_empty() {
        let addresses = list(&restored);
        warn!(
            address = %addresses,
            path = %run_dir(network).display(),
            "{} had lost {addresses}, which pods on this node have: made anew from the kernel's \
             routes; find out which program removes files there",
            run_dir(network).display()
        );
    }
    Ok(())
}

/// What remains of the namespace of `allocation`. If that cannot be found out, it counts as there.
fn remains(kernel: &mut Netlink, network: &str, allocation: &Allocation) -> Remains {
    match (&allocation.netns, allocation.netns_inode) {
        (Some(path), inode) => match fs::metadata(path) {
            // Another namespace may have the same path.
            Ok(found) if inode.is_none_or(|inode| inode == found.ino()) => {
                return Remains::Namespace;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Remains::Namespace,
            _ => {}
        },
        // The file was made anew from the routes to the host end, which exists as long as the pod.
        (None, None) => {}
        (None, Some(_)) => return Remains::Namespace,
    }
    let Some(interface) = interface(network, allocation) else {
        return Remains::Namespace;
    };
    let link = |socket: &mut netlink::NetlinkSocket| socket.link_by_name(&interface);
    match kernel.with(link) {
        Ok(None) => Remains::Nothing,
        Ok(Some(_)) if allocation.netns.is_none() => Remains::Namespace,
        Ok(Some(_)) => Remains::Interface,
        Err(_) => Remains::Namespace,
    }
}

fn interface(network: &str, allocation: &Allocation) -> Option<String> {
    let attachment = allocation.attachment().ok()?;
    Some(host_interface_name(network, &attachment))
}

/// `attachment 5f2c/eth0 (pod default/web-0)`.
fn describe_holder(allocation: &Allocation) -> String {
    let (container, interface) = (&allocation.container_id, &allocation.interface);
    let pod = allocation.pod().map(|pod| format!(" (pod {pod})"));
    let pod = pod.unwrap_or_default();
    format!("attachment {container}/{interface}{pod}")
}

fn netns(allocation: &Allocation) -> &str {
    allocation.netns.as_deref().unwrap_or("its namespace")
}
