//! The ledger of one network on one node: which attachment holds which address.
//!
//! There is no daemon for it. A process that changes it locks the folder, for microseconds, and
//! makes a few steps (see [`crate::ledger::steps`]) in an order that allows an interruption between
//! any two of them:
//!
//! - ADD: the attachment's link, then the address file, which appears with its whole content.
//! - DEL: the address file is moved to the freed ones, then the link is removed.
//!
//! So an address is held exactly while its file is in `addresses`. The holder's addresses are found
//! by its links. A link without an address file means nothing.

pub(crate) mod allocation;
pub(crate) mod allocator;
pub(crate) mod cooling;
pub(crate) mod disk;
pub(crate) mod error;
pub(crate) mod free_queue;
pub(crate) mod inventory;
pub(crate) mod kernel_pods;
pub(crate) mod lock;
pub(crate) mod queue_format;
pub(crate) mod release;
pub(crate) mod request;
pub(crate) mod restore;
pub(crate) mod scan;
pub(crate) mod steps;
pub(crate) mod sweep;
pub(crate) mod unavailable;
pub(crate) mod usage;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use wire::cni::Attachment;

use crate::ledger::allocation::Allocation;
use crate::ledger::allocator::Choice;
use crate::ledger::disk::Disk;
use crate::ledger::error::Error;
use crate::ledger::free_queue::FreeQueue;
use crate::ledger::inventory::Inventory;
use crate::ledger::kernel_pods::PodAddress;
use crate::ledger::lock::LedgerLock;
use crate::ledger::request::AddressRequest;
use crate::ledger::scan::DiskScan;
use crate::ledger::unavailable::Unavailable;

/// The ledger of one network.
pub struct Ledger {
    disk: Disk,
    is_new: bool,
}

impl Ledger {
    /// The ledger in the folder of `disk`, which is created if it is missing.
    pub fn create(disk: Disk) -> Result<Self, Error> {
        let is_new = disk.make_folders()?;
        Ok(Self { disk, is_new })
    }

    /// Whether its folders, or some of them, were missing: after a boot, or because another program
    /// removed them.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The ledger in the folder of `disk`; `None` if there is none, and so no address is held.
    pub fn existing(disk: Disk) -> Result<Option<Self>, Error> {
        let exists = Disk::exists(disk.root())?;
        Ok(exists.then_some(Self {
            disk,
            is_new: false,
        }))
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether the node's subnets were confirmed by the registry since the last boot, or the
    /// registry could not be reached then.
    pub(crate) fn is_confirmed(&self) -> Result<bool, Error> {
        Disk::exists(&self.disk.confirmed())
    }

    /// Marks them as confirmed. If that fails, the next ADD confirms again.
    pub(crate) fn confirm(&self) {
        if let Err(error) = self.disk.mark_confirmed() {
            self.disk.warn(error.to_string());
        }
    }

    /// Waits for the lock. Keep the session short: all other processes wait for it.
    pub fn lock(&self) -> Result<LockedLedger<'_>, Error> {
        Ok(LockedLedger {
            disk: &self.disk,
            _lock: lock::folder(self.disk.root())?,
        })
    }

    /// Like [`Ledger::lock`], but returns `None` instead of waiting.
    pub fn try_lock(&self) -> Result<Option<LockedLedger<'_>>, Error> {
        let lock = lock::try_folder(self.disk.root())?;
        Ok(lock.map(|lock| LockedLedger {
            disk: &self.disk,
            _lock: lock,
        }))
    }

    /// Reads all address files without the lock: concurrent changes may be missed.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        Inventory::read(&self.disk)
    }

    /// Whether the ledger lacks files that [`LockedLedger::restore`] would add. Does not take the
    /// lock, so concurrent changes may be missed.
    pub fn is_incomplete(&self, pods: &[PodAddress], subnets: &[IpNet]) -> Result<bool, Error> {
        Ok(!self.inventory()?.is_complete(&self.disk, pods, subnets))
    }

    /// Adds the damaged files to the error that no address is free. Call it after the session:
    /// finding them takes longer than other processes should wait.
    pub fn with_context(&self, error: Error) -> Error {
        let Error::Exhausted { subnets, .. } = error else {
            return error;
        };
        match Inventory::read(&self.disk) {
            Ok(inventory) => {
                let damaged = inventory.damaged.into_iter().map(|(address, _)| address);
                let blocks = |address: &IpAddr| subnets.iter().any(|net| net.contains(address));
                let damaged = damaged
                    .filter(blocks)
                    .map(|it| self.disk.address(it))
                    .collect();
                Error::Exhausted { subnets, damaged }
            }
            Err(second) => Error::Several(vec![
                Error::Exhausted {
                    subnets,
                    damaged: Vec::new(),
                },
                second,
            ]),
        }
    }

    /// Takes the warnings: problems that made no operation fail.
    pub fn warnings(&self) -> Vec<String> {
        self.disk.warnings()
    }
}

/// The locked ledger.
pub struct LockedLedger<'a> {
    pub(crate) disk: &'a Disk,
    _lock: LedgerLock,
}

impl<'a> LockedLedger<'a> {
    /// Allocates one address of each of the request's pools to `attachment`, or none at all.
    /// `describe` returns the content of the address file, given the subnet.
    pub fn allocate(
        &self,
        attachment: &Attachment,
        request: &AddressRequest<'_>,
        describe: impl Fn(IpNet) -> Allocation,
    ) -> Result<Vec<Choice>, Error> {
        self.refuse_holder(attachment)?;
        let mut chosen = self.choose_all(request)?;
        if request.kernel_pods.is_read() {
            // The ledger had lost addresses, perhaps some that were chosen before that was noticed.
            self.refuse_holder(attachment)?;
            chosen = self.choose_all(request)?;
        }
        let mut choices = Vec::with_capacity(chosen.len());
        for (choice, queue) in chosen {
            let allocation = describe(choice.subnet());
            if let Err(error) = self.claim(attachment, &choice, &allocation) {
                return Err(self.roll_back(attachment, request.now, error));
            }
            if let Some(Err(error)) = queue.map(|queue| queue.advance_past(&choice)) {
                // The address is claimed: the next search will skip this entry.
                self.disk.warn(error.to_string());
            }
            choices.push(choice);
        }
        Ok(choices)
    }

    /// Refuses an attachment that holds an address.
    fn refuse_holder(&self, attachment: &Attachment) -> Result<(), Error> {
        match self.held(attachment)?.first() {
            None => Ok(()),
            Some(&address) => Err(Error::Held {
                attachment: attachment.clone(),
                address,
            }),
        }
    }

    /// One address of each of the request's pools, and the queue that it is from.
    fn choose_all(
        &self,
        request: &AddressRequest<'_>,
    ) -> Result<Vec<(Choice, Option<FreeQueue<'a>>)>, Error> {
        let choose = |pool: &Vec<IpNet>| match request.fixed_of(pool) {
            Some(address) => Ok((self.check_requested(address, pool, request)?, None)),
            None => self.choose_from_pool(pool, request),
        };
        request.pools.iter().map(choose).collect()
    }

    /// Checks that `address`, which was requested by name, can be handed out. The queue is not
    /// advanced; its entries for the address will be skipped.
    fn check_requested(
        &self,
        address: IpAddr,
        subnets: &[IpNet],
        request: &AddressRequest<'_>,
    ) -> Result<Choice, Error> {
        let unavailable = |obstacle| Error::Unavailable { address, obstacle };
        let subnet = request.subnet_of(address, subnets).map_err(unavailable)?;
        // For the case that the ledger has lost the address.
        FreeQueue::open(self.disk, &subnet, request)?;
        match self.disk.allocation(address)? {
            None => Ok(Choice::Requested(subnet, address)),
            Some(holder) => Err(unavailable(Unavailable::Held(Box::new(holder)))),
        }
    }

    /// The address that would be handed out next, without handing it out. If there seems to be
    /// none, the queues are rebuilt first.
    fn choose_from_pool(
        &self,
        subnets: &[IpNet],
        request: &AddressRequest<'_>,
    ) -> Result<(Choice, Option<FreeQueue<'a>>), Error> {
        let open = |net: &IpNet| FreeQueue::open(self.disk, net, request);
        if let Some((choice, queue)) = choose(subnets, request, open)?
            && !self.must_cool(&choice, subnets, request)?
        {
            return Ok((choice, Some(queue)));
        }
        let exhausted = || Error::Exhausted {
            subnets: subnets.to_vec(),
            damaged: Vec::new(),
        };
        let first = subnets.first().ok_or_else(exhausted)?;
        let scan = DiskScan::read(self.disk, first, request)?;
        let found = choose(subnets, request, |net| {
            FreeQueue::rebuild(self.disk, net, &scan)
        })?;
        let (choice, queue) = found.ok_or_else(exhausted)?;
        if self.must_cool(&choice, subnets, request)? {
            return Err(exhausted());
        }
        Ok((choice, Some(queue)))
    }

    /// Whether `choice`, the best of `subnets`, is an address that still cools down and must not be
    /// handed out before a further subnet is claimed.
    fn must_cool(
        &self,
        choice: &Choice,
        subnets: &[IpNet],
        request: &AddressRequest<'_>,
    ) -> Result<bool, Error> {
        let &AddressRequest {
            exclude,
            cool_down,
            now,
            ..
        } = request;
        let Choice::Reused(_, freed) = choice else {
            return Ok(false);
        };
        let (Some(percent), true) = (
            request.max_cooling_percent,
            now.saturating_sub(freed.at) < cool_down,
        ) else {
            return Ok(false);
        };
        let usage = usage::usage(self.disk, subnets, exclude, cool_down, now)?;
        Ok(cooling::reusable(&usage, percent) == 0)
    }

    /// Returns an error if ADD would find no address in one of the request's pools.
    pub fn has_free_address(&self, request: &AddressRequest<'_>) -> Result<(), Error> {
        request
            .pools
            .iter()
            .try_for_each(|pool| self.choose_from_pool(pool, request).map(drop))
    }

    fn claim(
        &self,
        attachment: &Attachment,
        choice: &Choice,
        allocation: &Allocation,
    ) -> Result<(), Error> {
        let address = choice.address();
        self.disk.make_link(attachment, address)?;
        self.disk.claim(address, allocation)?;
        self.disk
            .remove(&self.disk.freed().join(address.to_string()))
    }

    /// Frees the addresses of an ADD that failed with `error`.
    fn roll_back(&self, attachment: &Attachment, now: Duration, error: Error) -> Error {
        match self.free(attachment, now) {
            Ok(_) => error,
            Err(second) => Error::Several(vec![error, second]),
        }
    }
}

/// Chooses among `subnets`, whose queues are opened by `open`.
fn choose<'a>(
    subnets: &[IpNet],
    request: &AddressRequest<'_>,
    open: impl Fn(&IpNet) -> Result<FreeQueue<'a>, Error>,
) -> Result<Option<(Choice, FreeQueue<'a>)>, Error> {
    let mut opened = Vec::new();
    let offers = subnets.iter().map(|subnet| {
        let mut queue = open(subnet)?;
        let offer = queue.next_addresses(request)?;
        opened.push((*subnet, queue));
        Ok(offer)
    });
    let choice = allocator::choose(offers, request.now, request.cool_down)?;
    Ok(choice.and_then(|choice| {
        let chosen = opened
            .into_iter()
            .find(|(subnet, _)| *subnet == choice.subnet());
        chosen.map(|(_, queue)| (choice, queue))
    }))
}
