//! Keeps the table `inet flatland` in the kernel as it should be.

use std::net::IpAddr;

use daemonkit::OnChange;
use ipnet::IpNet;
use tracing::{info, warn};
use wire::netlink::Error;
use wire::nft::{IpVersion, NftSocket, TableFamily, TableListing};
use wire::spoof_guard;

use crate::firewall::node_sets::NodeSets;
use crate::firewall::repair;
use crate::firewall::ruleset::{self, FirewallConfig};

/// The table that should be in the kernel, and what is known of the one that is.
#[derive(Debug)]
pub(super) struct OwnTable {
    config: FirewallConfig,
    owned: Vec<IpNet>,
    nodes: NodeSets,
    /// Whether the whole table has to be compared.
    is_dirty: bool,
    /// Whether the table was in place at least once.
    is_in_place: bool,
    /// The program that changed the table since the last comparison; empty if it is unknown.
    changed_by: Option<String>,
    last_warning: OnChange,
}

impl OwnTable {
    /// Nothing is known yet.
    pub(super) fn new(policy: FirewallConfig) -> Self {
        Self {
            config: policy,
            owned: Vec::new(),
            nodes: NodeSets::default(),
            is_dirty: true,
            is_in_place: false,
            changed_by: None,
            last_warning: OnChange::default(),
        }
    }

    /// Whether the table has what pods need.
    pub(super) fn is_ready(&self) -> bool {
        self.is_in_place || !self.config.masquerade
    }

    /// Whether the kernel's table may differ from the one that it should be.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty || self.nodes.has_changes()
    }

    /// Sets the subnets that this node owns.
    pub(super) fn set_owned(&mut self, subnets: &[IpNet]) {
        if self.owned != subnets {
            self.owned = subnets.to_vec();
            self.is_dirty = true;
        }
    }

    /// The addresses of nodes.
    pub(super) fn nodes(&mut self) -> &mut NodeSets {
        &mut self.nodes
    }

    /// Whether a table is ours.
    pub(super) fn is_own_table(family: TableFamily, table: &str) -> bool {
        let own = spoof_guard::table();
        family == own.family && table == own.name
    }

    /// Another program changed the table, or may have.
    pub(super) fn changed_externally(&mut self) {
        self.is_dirty = true;
        self.changed_by.get_or_insert_default();
    }

    /// Sets the program that made the changes.
    pub(super) fn note_changed_by(&mut self, program: &str) {
        let unknown = self.changed_by.as_mut().filter(|known| known.is_empty());
        if let Some(changed_by) = unknown {
            program.clone_into(changed_by);
        }
    }

    /// Lets the next warning about a change be logged even if it is the same.
    pub(super) fn reset_warnings(&mut self) {
        self.last_warning.clear();
    }

    /// Makes the kernel's table match. A join costs one set element.
    pub(super) fn reconcile(&mut self, socket: &mut NftSocket) -> Result<(), Error> {
        if self.is_dirty {
            self.compare(socket)?;
            self.is_dirty = false;
            self.nodes.take_changes();
        } else if self.nodes.has_changes() {
            let (added, removed) = self.nodes.take_changes();
            let commands = repair::node_commands(&self.config, &added, &removed);
            if let Err(error) = socket.apply(&commands, None) {
                // The kernel's sets are not what was assumed.
                self.is_dirty = true;
                return Err(error);
            }
        }
        Ok(())
    }

    fn compare(&mut self, socket: &mut NftSocket) -> Result<(), Error> {
        let (found, generation) = socket.table(&spoof_guard::table())?;
        if !self.is_in_place {
            self.nodes.adopt(found.iter().flat_map(node_addresses));
        }
        let nodes: Vec<IpAddr> = self.nodes.all().collect();
        let wanted = ruleset::ruleset(&self.config, &self.owned, &nodes);
        let commands = repair::repair(&wanted, found.as_ref());
        socket.apply(&commands, Some(generation))?;
        let table = &wanted.id;
        if !self.is_in_place {
            let state = if commands.is_empty() { "is" } else { "was put" };
            info!("table {table} {state} in place, {}", self.config.summary());
        } else if let Some(program) = self.changed_by.as_deref().filter(|_| !commands.is_empty()) {
            let program = if program.is_empty() {
                "another program"
            } else {
                program
            };
            let text = format!("table {table} was changed by {program}: restored");
            if self.last_warning.changed(&text) {
                warn!("{text}");
            }
        }
        self.is_in_place = true;
        self.changed_by = None;
        Ok(())
    }
}

/// The node addresses in a table that an earlier daemon left.
fn node_addresses(listing: &TableListing) -> impl Iterator<Item = IpAddr> {
    let versions = [IpVersion::V4, IpVersion::V6].into_iter();
    let sets = versions.filter_map(|version| listing.sets.get(ruleset::node_set_name(version)));
    sets.flat_map(|set| {
        let elements = set.elements.iter();
        elements.filter_map(|element| element.key.address())
    })
}
