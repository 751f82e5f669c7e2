//! Our own table, kept as it should be.

use std::net::IpAddr;

use ipnet::IpNet;
use tracing::{info, warn};
use wire::netlink::Error;
use wire::nft::{Family, Socket, TableListing, Version};
use wire::spoof_guard;

use crate::firewall::node_sets::NodeSets;
use crate::firewall::repair;
use crate::firewall::ruleset::{self, FirewallConfig};
use crate::log::OnChange;

/// What is wanted of the table, and what is known of the kernel's.
#[derive(Debug)]
pub(super) struct OwnTable {
    config: FirewallConfig,
    owned: Vec<IpNet>,
    nodes: NodeSets,
    /// Whether it has to be compared as a whole.
    is_dirty: bool,
    /// Whether it was in the kernel as it should be, ever.
    is_in_place: bool,
    /// Whether somebody may have changed it, and what program if that is known.
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

    /// Whether pods have of it what they need.
    pub(super) fn is_ready(&self) -> bool {
        self.is_in_place || !self.config.masquerade
    }

    /// Whether the kernel's is not, or may not be, what is wanted.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty || self.nodes.has_changes()
    }

    /// This node owns these subnets.
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

    /// Whether it is that table.
    pub(super) fn is_own_table(family: Family, table: &str) -> bool {
        let own = spoof_guard::table();
        family == own.family && table == own.name
    }

    /// Somebody changed it, or may have.
    pub(super) fn changed_externally(&mut self) {
        self.is_dirty = true;
        self.changed_by.get_or_insert_default();
    }

    /// Who made the changes that were heard of.
    pub(super) fn note_changed_by(&mut self, program: &str) {
        let unknown = self.changed_by.as_mut().filter(|known| known.is_empty());
        if let Some(culprit) = unknown {
            program.clone_into(culprit);
        }
    }

    /// Whatever was said of others may be said again.
    pub(super) fn reset_warnings(&mut self) {
        self.last_warning.clear();
    }

    /// Makes the kernel's what is wanted. A join costs one element, whatever else there is.
    pub(super) fn reconcile(&mut self, socket: &mut Socket) -> Result<(), Error> {
        if self.is_dirty {
            self.compare(socket)?;
            self.is_dirty = false;
            self.nodes.take_changes();
        } else if self.nodes.has_changes() {
            let (came, went) = self.nodes.take_changes();
            let commands = repair::node_commands(&self.config, &came, &went);
            if let Err(why) = socket.apply(&commands, None) {
                // Whatever is in there, it is not what it was taken for.
                self.is_dirty = true;
                return Err(why);
            }
        }
        Ok(())
    }

    fn compare(&mut self, socket: &mut Socket) -> Result<(), Error> {
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
                "somebody"
            } else {
                program
            };
            let text = format!("table {table} was changed by {program}: put right");
            if self.last_warning.changed(&text) {
                warn!("{text}");
            }
        }
        self.is_in_place = true;
        self.changed_by = None;
        Ok(())
    }
}

/// The addresses of nodes in a table that an earlier daemon left.
fn node_addresses(image: &TableListing) -> impl Iterator<Item = IpAddr> {
    let versions = [Version::V4, Version::V6].into_iter();
    let sets = versions.filter_map(|version| image.sets.get(ruleset::node_set_name(version)));
    sets.flat_map(|set| set.elements.iter().map(|element| element.address))
}
