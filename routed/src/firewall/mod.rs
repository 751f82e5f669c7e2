//! The firewall: masquerades pods, drops forged source addresses, and accepts pods where other
//! tools drop what a node forwards (FORWARD).
//!
//! Events mark state as dirty, and one pass at a time makes the kernel match. Rules stay when the
//! daemon stops.

mod blocking_chain;
mod foreign_chains;
mod forward;
mod iptables_legacy;
mod iptables_nft;
mod leftovers;
mod monitor;
mod node_sets;
mod own_table;
mod repair;
mod ruleset;
mod survey;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Instant;

use daemonkit::OnChange;
use ipnet::IpNet;
use nix::errno::Errno;
use tracing::error;
use wire::netlink::Error;
use wire::nft::{NftMonitor, NftSocket, RulesetChange};

#[cfg(test)]
pub(crate) use self::blocking_chain::BlockingChain;
use self::foreign_chains::ForeignChains;
use self::iptables_legacy::IptablesLegacy;
use self::iptables_nft::IptablesNft;
pub(crate) use self::leftovers::{FirewallLeftover, leftovers};
pub(crate) use self::monitor::FirewallMonitor;
use self::own_table::OwnTable;
pub(crate) use self::ruleset::FirewallConfig;
pub(crate) use self::survey::{Survey, survey};
use crate::timeouts::{
    FOREIGN_CHAINS_SETTLE_TIME, MIN_PASS_INTERVAL, PASS_COOLDOWN_FACTOR, PASS_RETRY_BACKOFF,
};

/// The firewall of this node.
#[derive(Debug)]
pub(crate) struct Firewall {
    socket: Option<NftSocket>,
    own_table: OwnTable,
    iptables_nft: IptablesNft,
    foreign_chains: ForeignChains,
    iptables_legacy: IptablesLegacy,
    /// Whether the chains of iptables-nft have to be checked.
    is_iptables_dirty: bool,
    /// When to check foreign FORWARD chains, if that is due.
    survey_at: Option<Instant>,
    next_pass_at: Instant,
    failed_passes: u32,
    last_error: OnChange,
}

impl Firewall {
    /// Nothing is known yet.
    pub(crate) fn new(config: FirewallConfig) -> Self {
        let now = Instant::now();
        Self {
            socket: None,
            iptables_nft: IptablesNft::new(&config.pod_cidrs),
            foreign_chains: ForeignChains::new(&config.pod_cidrs),
            iptables_legacy: IptablesLegacy::new(&config.pod_cidrs, now),
            own_table: OwnTable::new(config),
            is_iptables_dirty: true,
            survey_at: Some(now),
            next_pass_at: now,
            failed_passes: 0,
            last_error: OnChange::default(),
        }
    }

    /// Whether the firewall has what pods need.
    pub(crate) fn is_ready(&self) -> bool {
        self.own_table.is_ready()
    }

    /// Messages about everything that is wrong.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        let own = self.last_error.current().into_iter();
        own.chain(self.iptables_legacy.troubles())
            .chain(self.foreign_chains.advice())
    }

    /// Sets the subnets that this node owns.
    pub(crate) fn set_owned(&mut self, subnets: &[IpNet]) {
        self.own_table.set_owned(subnets);
    }

    /// Sets the addresses of all nodes. Unless the registry `is_believed`, the addresses that were
    /// known before stay too.
    pub(crate) fn nodes(&mut self, addresses: impl Iterator<Item = IpAddr>, is_believed: bool) {
        self.own_table.nodes().reset(addresses, is_believed);
    }

    /// Some records changed: all addresses they had before, and all they have now.
    pub(crate) fn nodes_changed(&mut self, had: &[IpAddr], have: &[IpAddr], is_believed: bool) {
        self.own_table.nodes().change(had, have, is_believed);
    }

    /// Makes `monitor` ignore the changes that this makes.
    fn hide_from(&self, monitor: &mut NftMonitor) {
        if let Some(socket) = &self.socket {
            monitor.ignore(socket);
        }
    }

    /// Takes an nftables event.
    fn ruleset_changed(&mut self, change: RulesetChange<'_>) {
        match change {
            RulesetChange::Changed {
                family,
                table,
                chain,
                is_base,
            } => {
                if OwnTable::is_own_table(family, table) {
                    self.own_table.changed_externally();
                    return;
                }
                self.is_iptables_dirty |= self.iptables_nft.is_affected(family, table, chain);
                if is_base || self.foreign_chains.is_affected(family, table) {
                    self.survey_at
                        .get_or_insert(Instant::now() + FOREIGN_CHAINS_SETTLE_TIME);
                }
            }
            RulesetChange::Committed { program } => self.own_table.note_changed_by(program),
            RulesetChange::Lost => self.recheck_all(),
        }
    }

    /// Marks everything as dirty.
    pub(crate) fn resync(&mut self) {
        self.recheck_all();
        self.own_table.reset_warnings();
    }

    fn recheck_all(&mut self) {
        self.own_table.changed_externally();
        self.is_iptables_dirty = true;
        self.survey_at = Some(Instant::now());
    }

    /// When to call [`Firewall::run_due`] next.
    pub(crate) fn wake_at(&self) -> Instant {
        let check_at = self.iptables_legacy.check_at();
        let pass_at = self.pass_at();
        pass_at.map_or(check_at, |pass_at| pass_at.min(check_at))
    }

    /// When the next pass is due, if anything is dirty.
    fn pass_at(&self) -> Option<Instant> {
        if self.is_iptables_dirty || self.own_table.is_dirty() {
            return Some(self.next_pass_at);
        }
        self.survey_at.map(|at| at.max(self.next_pass_at))
    }

    /// Runs the checks and the pass that are due.
    pub(crate) fn run_due(&mut self, now: Instant) {
        if now >= self.iptables_legacy.check_at() {
            self.iptables_legacy.check(now);
        }
        if self.pass_at().is_none_or(|pass_at| now < pass_at) {
            return;
        }
        let started = Instant::now();
        match self.pass(now) {
            Ok(()) => {
                self.failed_passes = 0;
                self.last_error.clear();
                self.next_pass_at =
                    now + MIN_PASS_INTERVAL.max(started.elapsed() * PASS_COOLDOWN_FACTOR);
            }
            // Another program changed the ruleset in between.
            Err(Error::Interrupted { .. }) => self.next_pass_at = now + MIN_PASS_INTERVAL,
            Err(error) => {
                self.failed_passes += 1;
                self.next_pass_at = now + PASS_RETRY_BACKOFF.pause(self.failed_passes);
                let text = self.explain(&error);
                if self.last_error.changed(&text) {
                    error!(error = %error, "{text}");
                }
            }
        }
    }

    /// Runs all parts even if one fails; the first failure is the error.
    fn pass(&mut self, now: Instant) -> Result<(), Error> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => NftSocket::open()?,
        };
        let outcomes = [
            self.own_table.reconcile(&mut socket),
            self.reconcile_iptables(&mut socket),
            self.survey_foreign_chains(&mut socket, now),
        ];
        let outcome = outcomes.into_iter().find(Result::is_err).unwrap_or(Ok(()));
        if !matches!(outcome, Err(Error::Socket { .. } | Error::Malformed { .. })) {
            self.socket = Some(socket);
        }
        outcome
    }

    fn reconcile_iptables(&mut self, socket: &mut NftSocket) -> Result<(), Error> {
        if self.is_iptables_dirty {
            self.iptables_nft.reconcile(socket)?;
            self.is_iptables_dirty = false;
        }
        Ok(())
    }

    fn survey_foreign_chains(&mut self, socket: &mut NftSocket, now: Instant) -> Result<(), Error> {
        if self.survey_at.is_some_and(|at| at <= now) {
            self.foreign_chains.survey_chains(socket)?;
            self.survey_at = None;
        }
        Ok(())
    }

    fn explain(&self, error: &Error) -> String {
        let advice = match error.errno() {
            Some(Errno::EPERM) => {
                " (this needs CAP_NET_ADMIN, and no other program may own the table)"
            }
            Some(Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT | Errno::ENOENT) => {
                " (this needs a kernel with nf_tables, nft_fib_inet and nft_masq)"
            }
            _ => "",
        };
        let consequence = if self.is_ready() {
            ""
        } else {
            "; until then the node is not ready for pods"
        };
        format!("cannot update the nftables rules: {error}{advice}; trying again{consequence}")
    }
}
