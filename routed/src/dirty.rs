//! What has to be looked at again. However often something is marked, it is looked at once.

use std::collections::BTreeSet;

use crate::plan::Scope;

/// What has to be looked at again.
#[derive(Debug)]
pub(crate) struct Dirty {
    /// The links and their addresses.
    pub(crate) links: bool,
    /// The kernel's routes.
    pub(crate) routes: bool,
    /// The claims.
    pub(crate) claims: Scope,
}

impl Dirty {
    /// Nothing has.
    pub(crate) const fn nothing() -> Self {
        Self {
            links: false,
            routes: false,
            claims: Scope::Only(BTreeSet::new()),
        }
    }

    /// Everything has.
    pub(crate) const fn everything() -> Self {
        Self {
            links: true,
            routes: true,
            claims: Scope::All,
        }
    }

    /// Whether nothing has.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.links && !self.routes && self.claims == Scope::Only(BTreeSet::new())
    }

    /// These claims have, too.
    pub(crate) fn add(&mut self, more: Scope) {
        match (&mut self.claims, more) {
            (Scope::All, _) => {}
            (claims, Scope::All) => *claims = Scope::All,
            (Scope::Only(claims), Scope::Only(more)) => claims.extend(more),
        }
    }
}
