//! A ledger in a temporary folder, and ways to interrupt its operations.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use ipam::{
    AddressRequest, Allocation, Choice, Disk, DiskStep, Error, Inventory, KernelPods, Ledger,
    PodAddress, StepHook,
};
use ipnet::IpNet;
use wire::cni::Attachment;

/// The cool-down of all tests.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(130);

/// A time since boot to start from.
pub(crate) const START: Duration = Duration::from_secs(10_000);

/// How an operation is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// Not at all.
    None,
    /// It is killed before the step of this number.
    Kill(u32),
    /// The disk is full from the step of this number on.
    DiskFull(u32),
    /// The disk has room for this many steps, and for one more for each file of a freed address that
    /// is discarded.
    Tight(u32),
}

impl Interruption {
    fn hook(self) -> Box<StepHook> {
        let count = Cell::new(0);
        let discarded = Cell::new(0);
        Box::new(move |step| {
            if let Self::Tight(room) = self {
                discarded.set(discarded.get() + u32::from(step == DiskStep::Discard));
                if needs_space(step) && count.get() >= room + discarded.get() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                count.set(count.get() + u32::from(needs_space(step)));
                return Ok(());
            }
            let number = count.replace(count.get() + 1);
            match self {
                Self::Kill(at) if number >= at => Err(io::Error::other("killed here")),
                Self::DiskFull(at) if number >= at && needs_space(step) => {
                    Err(io::ErrorKind::StorageFull.into())
                }
                _ => Ok(()),
            }
        })
    }
}

fn needs_space(step: DiskStep) -> bool {
    use DiskStep::{Append, Claim, Content, Folder, Link, Queue};
    matches!(step, Folder | Content | Claim | Link | Append | Queue)
}

/// A node's ledger and the node's subnets, per pod CIDR.
pub(crate) struct TestNode {
    scratch: tempfile::TempDir,
    /// The subnets.
    pub(crate) pools: Vec<Vec<IpNet>>,
    /// Excluded addresses.
    pub(crate) exclude: Vec<IpNet>,
    /// The share of addresses that may cool down; by default none is kept back.
    pub(crate) max_cooling_percent: Option<u8>,
    /// The addresses of running pods, as the kernel knows them.
    pub(crate) running: Mutex<Vec<PodAddress>>,
}

impl TestNode {
    /// A node with these subnets and an empty ledger.
    pub(crate) fn new(pools: &[&[&str]]) -> Self {
        let parse = |subnets: &&[&str]| subnets.iter().map(|it| it.parse().unwrap()).collect();
        let pools = pools.iter().map(parse).collect();
        Self {
            scratch: scratch(),
            pools,
            exclude: Vec::new(),
            max_cooling_percent: None,
            running: Mutex::default(),
        }
    }

    /// The ledger's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.path().join("net")
    }

    /// A path inside the ledger's folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// The ledger, opened for an operation that is interrupted like this.
    pub(crate) fn ledger(&self, fault: Interruption) -> Result<Ledger, Error> {
        Ledger::create(Disk::with_hook(self.root(), fault.hook()))
    }

    /// ADD.
    pub(crate) fn add(&self, who: &Attachment, now: Duration) -> Result<Vec<IpAddr>, Error> {
        self.add_with(who, &[], now, Interruption::None)
    }

    /// ADD with these requested addresses, interrupted like this.
    pub(crate) fn add_with(
        &self,
        who: &Attachment,
        fixed: &[IpAddr],
        now: Duration,
        fault: Interruption,
    ) -> Result<Vec<IpAddr>, Error> {
        let read = || Ok(self.running.lock().unwrap().clone());
        let request = AddressRequest {
            pools: &self.pools,
            exclude: &self.exclude,
            fixed,
            cool_down: COOL_DOWN,
            max_cooling_percent: self.max_cooling_percent,
            now,
            kernel_pods: &KernelPods::new(&read),
        };
        let ledger = self.ledger(fault)?;
        let describe = |subnet| describe(who, subnet);
        let choices = ledger.lock()?.allocate(who, &request, describe);
        let choices = choices.map_err(|error| ledger.with_context(error))?;
        Ok(choices.iter().map(Choice::address).collect())
    }

    /// DEL.
    pub(crate) fn del(&self, who: &Attachment, now: Duration) -> Result<Vec<IpAddr>, Error> {
        self.del_with(who, now, Interruption::None)
    }

    /// DEL, interrupted like this.
    pub(crate) fn del_with(
        &self,
        who: &Attachment,
        now: Duration,
        fault: Interruption,
    ) -> Result<Vec<IpAddr>, Error> {
        match self.existing(fault)? {
            Some(ledger) => ledger.lock()?.free(who, now),
            None => Ok(Vec::new()),
        }
    }

    /// GC, interrupted like this.
    pub(crate) fn retain_only(
        &self,
        valid: &BTreeSet<Attachment>,
        now: Duration,
        fault: Interruption,
    ) -> Result<Vec<IpAddr>, Error> {
        match self.existing(fault)? {
            Some(ledger) => ledger.lock()?.retain_only(valid, now),
            None => Ok(Vec::new()),
        }
    }

    /// Gives a subnet back if it is empty. Also returns whether it was removed from the list of the
    /// node's subnets, which may be so although the rest failed.
    pub(crate) fn release_subnet(
        &self,
        subnet: &IpNet,
        fault: Interruption,
    ) -> (Result<bool, Error>, bool) {
        let done = Cell::new(false);
        let unlist = || {
            done.set(true);
            Ok(())
        };
        let release = |ledger: Ledger| {
            let session = ledger.lock()?;
            session.restore(&self.running.lock().unwrap(), &[*subnet])?;
            session.release_subnet(subnet, unlist)
        };
        let result = self.ledger(fault).and_then(release);
        (result, done.get())
    }

    /// Adds what the ledger has lost, as `routed` does, interrupted like this.
    pub(crate) fn restore(&self, fault: Interruption) -> Result<Vec<IpAddr>, Error> {
        let ledger = self.ledger(fault)?;
        let session = ledger.lock()?;
        session.restore(&self.running.lock().unwrap(), &self.pools.concat())
    }

    fn existing(&self, fault: Interruption) -> Result<Option<Ledger>, Error> {
        Ledger::existing(Disk::with_hook(self.root(), fault.hook()))
    }

    /// All address files.
    pub(crate) fn inventory(&self) -> Inventory {
        match self.existing(Interruption::None).unwrap() {
            Some(ledger) => ledger.inventory().unwrap(),
            None => Inventory::default(),
        }
    }

    /// The names of the attachments' links.
    pub(crate) fn links(&self) -> Vec<String> {
        names(&self.path("attachments"))
    }

    /// When an address was freed, if it is among the freed ones.
    pub(crate) fn freed_at(&self, address: IpAddr) -> Option<Duration> {
        let metadata = fs::metadata(self.path("freed").join(address.to_string())).ok()?;
        metadata
            .modified()
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
    }
}

/// A temporary folder, on a tmpfs as /run is, if there is one.
pub(crate) fn scratch() -> tempfile::TempDir {
    let tmpfs = Path::new("/dev/shm");
    if tmpfs.is_dir() {
        tempfile::tempdir_in(tmpfs)
    } else {
        tempfile::tempdir()
    }
    .unwrap()
}

/// The content of the file of an address.
pub(crate) fn describe(who: &Attachment, subnet: IpNet) -> Allocation {
    Allocation {
        container_id: who.container_id().to_owned(),
        interface: who.interface().to_owned(),
        subnet,
        since: 1_700_000_000,
        pod_namespace: None,
        pod_name: None,
        pod_uid: None,
        netns: None,
        netns_inode: None,
    }
}

/// The attachment of the pod of this name.
pub(crate) fn pod(name: &str) -> Attachment {
    Attachment::new(name, "eth0").unwrap()
}

/// The names in a folder, sorted; none if it is missing.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An address.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
