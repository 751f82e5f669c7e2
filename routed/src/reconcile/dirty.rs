//! Dirty state: what the next pass has to read or compare, however often it was marked.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::rib::path::UpdateScope;

/// What the next pass has to read or compare.
#[derive(Debug)]
pub(crate) struct Dirty {
    /// The links and their addresses.
    pub(crate) links: bool,
    /// The routes of other programs, where they lead to peers (`crossSubnet`).
    pub(crate) cross_subnet: bool,
    /// All routes of ours in the kernel.
    pub(crate) routes: bool,
    /// The claims, and the routes of the claimed subnets.
    pub(crate) claims: UpdateScope,
    /// The missing routes to these pods.
    pub(crate) pods: BTreeSet<IpNet>,
}

impl Dirty {
    /// Nothing is dirty.
    pub(crate) const fn nothing() -> Self {
        Self {
            links: false,
            cross_subnet: false,
            routes: false,
            claims: UpdateScope::Only(BTreeSet::new()),
            pods: BTreeSet::new(),
        }
    }

    /// Everything is dirty.
    pub(crate) const fn everything() -> Self {
        Self {
            links: true,
            cross_subnet: true,
            routes: true,
            claims: UpdateScope::All,
            pods: BTreeSet::new(),
        }
    }

    /// Whether nothing is dirty.
    pub(crate) fn is_nothing(&self) -> bool {
        let nothing_claimed = matches!(&self.claims, UpdateScope::Only(some) if some.is_empty());
        let nothing_lost = self.pods.is_empty();
        !(self.links || self.cross_subnet || self.routes) && nothing_claimed && nothing_lost
    }

    /// Whether the cost of the pass grows with the number of peers.
    pub(crate) fn is_all(&self) -> bool {
        self.links || self.cross_subnet || self.routes || self.claims == UpdateScope::All
    }

    /// Marks these claims.
    pub(crate) fn add(&mut self, more: UpdateScope) {
        match (&mut self.claims, more) {
            (UpdateScope::All, _) => {}
            (claims, UpdateScope::All) => *claims = UpdateScope::All,
            (UpdateScope::Only(claims), UpdateScope::Only(more)) => claims.extend(more),
        }
    }

    /// Marks what a failed pass was to read, and all routes.
    pub(crate) fn merge_failed(&mut self, failed: Self) {
        self.links |= failed.links;
        self.cross_subnet |= failed.cross_subnet;
        self.routes = true;
        self.add(failed.claims);
        self.pods.extend(failed.pods);
    }
}
