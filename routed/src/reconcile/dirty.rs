//! What has to be looked at again. However often something is marked, it is looked at once.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::rib::path::Scope;

/// What has to be looked at again.
#[derive(Debug)]
pub(crate) struct Dirty {
    /// The links and their addresses.
    pub(crate) links: bool,
    /// The routes of others, where they are ways to peers.
    pub(crate) cross_subnet: bool,
    /// The kernel's routes, all of them.
    pub(crate) routes: bool,
    /// The claims, and the routes to what is claimed.
    pub(crate) claims: Scope,
    /// The routes to these pods, which are gone.
    pub(crate) pods: BTreeSet<IpNet>,
}

impl Dirty {
    /// Nothing has.
    pub(crate) const fn nothing() -> Self {
        Self {
            links: false,
            cross_subnet: false,
            routes: false,
            claims: Scope::Only(BTreeSet::new()),
            pods: BTreeSet::new(),
        }
    }

    /// Everything has.
    pub(crate) const fn everything() -> Self {
        Self {
            links: true,
            cross_subnet: true,
            routes: true,
            claims: Scope::All,
            pods: BTreeSet::new(),
        }
    }

    /// Whether nothing has.
    pub(crate) fn is_nothing(&self) -> bool {
        let nothing_claimed = matches!(&self.claims, Scope::Only(some) if some.is_empty());
        let nothing_lost = self.pods.is_empty();
        !(self.links || self.cross_subnet || self.routes) && nothing_claimed && nothing_lost
    }

    /// Whether so much has that the work grows with the number of peers.
    pub(crate) fn is_all(&self) -> bool {
        self.links || self.cross_subnet || self.routes || self.claims == Scope::All
    }

    /// These claims have, too.
    pub(crate) fn add(&mut self, more: Scope) {
        match (&mut self.claims, more) {
            (Scope::All, _) => {}
            (claims, Scope::All) => *claims = Scope::All,
            (Scope::Only(claims), Scope::Only(more)) => claims.extend(more),
        }
    }

    /// So has what a pass that failed was to look at.
    pub(crate) fn merge_failed(&mut self, failed: Self) {
        self.links |= failed.links;
        self.cross_subnet |= failed.cross_subnet;
        self.routes = true;
        self.add(failed.claims);
        self.pods.extend(failed.pods);
    }
}
