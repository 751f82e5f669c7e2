//! Frees what pods hold that are gone without a DEL: looks at what is left of their namespaces,
//! and carries out what [`crate::node_addresses::sweep`] decides. Destroys host ends that an ADD left which was cut
//! short, as [`crate::node_addresses::sweep`] decides.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use ipam::{Allocation, Ledger, since_boot};
use nix::errno::Errno;
use tracing::{info, warn};
use wire::add_lock;
use wire::conf::IpamConfig;
use wire::netlink::{self, Link, Request, Socket};
use wire::pod_link::host_interface_name;

use crate::addresses::sweep::OrphanLinks;
use crate::addresses::sweep::{Remains, Suspects, SweepAction};
use crate::kernel::Netlink;

/// The shortest and the longest time between two looks.
const SOON: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_secs(30);

/// The least time for which a host end has no alias before it counts as left by an ADD that was cut
/// short: a thousand times what an ADD takes to give it one.
const IN_THE_MAKING: Duration = Duration::from_secs(1);

/// Looks every now and then.
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
    /// Has not looked yet.
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

    /// Looks at all that `ledger` holds, if that is due at `now`, and frees what is to be freed.
    /// Returns when to look again.
    pub(crate) fn sweep(&mut self, ledger: &Ledger, now: Instant) -> Result<Instant, ipam::Error> {
        if let Some(next) = self.next.filter(|next| *next > now) {
            return Ok(next);
        }
        let held = ledger.inventory()?.held;
        let (kernel, network) = (&mut self.kernel, &self.network);
        let mut remains = |allocation: &Allocation| remains(kernel, network, allocation);
        let verdicts = self.suspects.observe(held, &mut remains, now, self.grace);
        for verdict in verdicts {
            match verdict {
                SweepAction::Free(address, allocation) => {
                    let (who, netns) = (describe_holder(&allocation), netns(&allocation));
                    if ledger
                        .lock()?
                        .free_stale(address, &allocation, since_boot()?)?
                    {
                        info!("{address} of {who} is freed: {netns} is gone, and no DEL came");
                    }
                }
                SweepAction::Warn(address, allocation) => warn!(
                    "{address} of {} stays: {} is gone, but something keeps the namespace, as the \
                     pod's interface {} is still there; find it with lsns -t net",
                    describe_holder(&allocation),
                    netns(&allocation),
                    interface(&self.network, &allocation).unwrap_or_default()
                ),
            }
        }
        if let Err(error) = self.destroy_orphans(now) {
            warn!("cannot destroy what ADDs left that were cut short: {error}");
        }
        let wait = if self.suspects.any() || self.orphans.any() {
            self.grace / 2
        } else {
            self.grace
        };
        let next = now + wait.clamp(SOON, LOOK);
        self.next = Some(next);
        Ok(next)
    }

    /// Destroys host ends that say of no attachment that they are its, and have not for a while.
    fn destroy_orphans(&mut self, now: Instant) -> Result<(), netlink::Error> {
        let links = self.kernel.with(Socket::links)?;
        let grace = self.grace.max(IN_THE_MAKING);
        let left = self.orphans.observe(&links, now, grace);
        // An ADD may wait for its IPAM plugin, and that for others.
        let is_left = |link: &&Link| left.contains(&link.index) && !add_lock::is_held(&link.name);
        for link in links.iter().filter(is_left) {
            let request = Request::DelLink { index: link.index };
            match self.kernel.with(|socket| socket.apply_all(&[request])) {
                Err(error) if error.errno() == Some(Errno::ENODEV) => {}
                outcome => {
                    outcome?;
                    info!(
                        "interface {} is destroyed: its ADD was cut short",
                        link.name
                    );
                }
            }
        }
        Ok(())
    }
}

/// What is left of the namespace of `allocation`. Where that cannot be told it is as good as there.
fn remains(kernel: &mut Netlink, network: &str, allocation: &Allocation) -> Remains {
    let Some(path) = &allocation.netns else {
        return Remains::Namespace;
    };
    match fs::metadata(path) {
        // Another namespace may have been given the same path.
        Ok(found)
            if allocation
                .netns_inode
                .is_none_or(|inode| inode == found.ino()) =>
        {
            return Remains::Namespace;
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Remains::Namespace,
        _ => {}
    }
    let Some(interface) = interface(network, allocation) else {
        return Remains::Namespace;
    };
    let link = |socket: &mut netlink::Socket| socket.link_by_name(&interface);
    match kernel.with(link) {
        Ok(None) => Remains::Nothing,
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
    let pod = match (&allocation.pod_namespace, &allocation.pod_name) {
        (Some(namespace), Some(name)) => format!(" (pod {namespace}/{name})"),
        _ => String::new(),
    };
    format!("attachment {container}/{interface}{pod}")
}

fn netns(allocation: &Allocation) -> &str {
    allocation.netns.as_deref().unwrap_or("its namespace")
}
