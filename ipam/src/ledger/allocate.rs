//! Allocates addresses to an attachment: the part of ADD that the ledger does.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use wire::cni::Attachment;

use crate::ledger::allocation::Allocation;
use crate::ledger::allocator::{self, Choice};
use crate::ledger::error::Error;
use crate::ledger::free_queue::FreeQueue;
use crate::ledger::request::AddressRequest;
use crate::ledger::scan::DiskScan;
use crate::ledger::unavailable::Unavailable;
use crate::ledger::{LockedLedger, cooling, usage};

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
