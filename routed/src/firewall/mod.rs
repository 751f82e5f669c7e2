//! The packet filter: pods are masqueraded to the outside, cannot pretend to be others, and pass
//! where other tools drop what a node forwards.
//!
//! What happens marks something dirty, and one pass at a time makes the kernel match. Rules stay
//! when the daemon stops.

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
use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::errno::Errno;
use registry::Backoff;
use tracing::error;
use wire::netlink::Error;
use wire::nft::{Monitor, RulesetChange, Socket};

use self::foreign_chains::ForeignChains;
use self::iptables_legacy::IptablesLegacy;
use self::iptables_nft::IptablesNft;
pub(crate) use self::leftovers::{FirewallLeftover, leftovers};
pub(crate) use self::monitor::FirewallMonitor;
use self::own_table::OwnTable;
pub(crate) use self::ruleset::FirewallConfig;
#[cfg(test)]
pub(crate) use self::survey::BlockingChain;
pub(crate) use self::survey::{Survey, survey};
use crate::log::OnChange;

/// The least time from the end of one pass to the start of the next, and how many times as long as
/// a pass took the rest after it is: a flood of changes never costs more than a fifth of a
/// processor.
const BREATH: Duration = Duration::from_millis(10);
const REST: u32 = 4;

/// Between tries of what failed.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(200),
    most: Duration::from_secs(10),
};

/// A firewall that is loaded anew drops everything for a moment. Who keeps it is told of what is
/// left after so long.
const CALM: Duration = Duration::from_secs(2);

/// The packet filter of this node.
#[derive(Debug)]
pub(crate) struct Firewall {
    socket: Option<Socket>,
    own: OwnTable,
    iptables: IptablesNft,
    others: ForeignChains,
    legacy: IptablesLegacy,
    /// Whether the chains of iptables have to be looked at.
    is_iptables_dirty: bool,
    /// When to look at other chains for what is forwarded, if there is a reason.
    others_at: Option<Instant>,
    rested_at: Instant,
    failed_passes: u32,
    trouble: OnChange,
}

impl Firewall {
    /// Nothing is known yet.
    pub(crate) fn new(policy: FirewallConfig) -> Self {
        let now = Instant::now();
        Self {
            socket: None,
            iptables: IptablesNft::new(&policy.pod_cidrs),
            others: ForeignChains::new(&policy.pod_cidrs),
            legacy: IptablesLegacy::new(&policy.pod_cidrs, now),
            own: OwnTable::new(policy),
            is_iptables_dirty: true,
            others_at: Some(now),
            rested_at: now,
            failed_passes: 0,
            trouble: OnChange::default(),
        }
    }

    /// Whether pods can be served: what they need of the packet filter was in place, or they need
    /// nothing of it.
    pub(crate) fn is_ready(&self) -> bool {
        self.own.is_ready()
    }

    /// What is wrong with it, in words.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        let own = self.trouble.current().into_iter();
        own.chain(self.legacy.troubles())
            .chain(self.others.advice())
    }

    /// This node owns these subnets.
    pub(crate) fn set_owned(&mut self, subnets: &[IpNet]) {
        self.own.set_owned(subnets);
    }

    /// The registry was seen whole, with these addresses of nodes. Unless it `is_believed`, those
    /// that were known before stay besides.
    pub(crate) fn nodes(&mut self, addresses: impl Iterator<Item = IpAddr>, is_believed: bool) {
        self.own.nodes().reset(addresses, is_believed);
    }

    /// Some nodes' records changed: all addresses they had, and all they have.
    pub(crate) fn nodes_changed(&mut self, had: &[IpAddr], have: &[IpAddr], is_believed: bool) {
        self.own.nodes().change(had, have, is_believed);
    }

    /// Lets `monitor` pass over what this changes.
    fn hide_from(&self, monitor: &mut Monitor) {
        if let Some(socket) = &self.socket {
            monitor.ignore(socket);
        }
    }

    /// Somebody changed something in the packet filter.
    fn ruleset_changed(&mut self, news: RulesetChange<'_>) {
        match news {
            RulesetChange::Changed {
                family,
                table,
                chain,
                is_base,
            } => {
                if OwnTable::is_own_table(family, table) {
                    self.own.changed_externally();
                    return;
                }
                self.is_iptables_dirty |= self.iptables.is_concerned(family, table, chain);
                if is_base || self.others.is_concerned(family, table) {
                    self.others_at.get_or_insert(Instant::now() + CALM);
                }
            }
            RulesetChange::Committed { program } => self.own.note_changed_by(program),
            RulesetChange::Lost => self.recheck_all(),
        }
    }

    /// Looks at everything again in the next pass, whatever was heard.
    pub(crate) fn resync(&mut self) {
        self.recheck_all();
        self.own.reset_warnings();
    }

    fn recheck_all(&mut self) {
        self.own.changed_externally();
        self.is_iptables_dirty = true;
        self.others_at = Some(Instant::now());
    }

    /// When to work next, if nothing happens before.
    pub(crate) fn wake_at(&self) -> Instant {
        let look_at = self.legacy.look_at();
        let pass_at = self.pass_at();
        pass_at.map_or(look_at, |pass_at| pass_at.min(look_at))
    }

    /// When the next pass is due, if there is a reason for one.
    fn pass_at(&self) -> Option<Instant> {
        if self.is_iptables_dirty || self.own.is_dirty() {
            return Some(self.rested_at);
        }
        self.others_at.map(|calm| calm.max(self.rested_at))
    }

    /// Does what is due.
    pub(crate) fn run_due(&mut self, now: Instant) {
        if now >= self.legacy.look_at() {
            self.legacy.read_rules(now);
        }
        if self.pass_at().is_none_or(|pass_at| now < pass_at) {
            return;
        }
        let started = Instant::now();
        match self.pass(now) {
            Ok(()) => {
                self.failed_passes = 0;
                self.trouble.clear();
                self.rested_at = now + BREATH.max(started.elapsed() * REST);
            }
            // Somebody else was faster.
            Err(Error::Interrupted { .. }) => self.rested_at = now + BREATH,
            Err(why) => {
                self.failed_passes += 1;
                self.rested_at = now + PAUSES.pause(self.failed_passes);
                let text = self.explain(&why);
                if self.trouble.changed(&text) {
                    error!("{text}");
                }
            }
        }
    }

    /// Sees to all that is due, also where something fails; the first failure is the error.
    fn pass(&mut self, now: Instant) -> Result<(), Error> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open()?,
        };
        let outcomes = [
            self.own.reconcile(&mut socket),
            self.reconcile_iptables(&mut socket),
            self.survey_foreign_chains(&mut socket, now),
        ];
        let outcome = outcomes.into_iter().find(Result::is_err).unwrap_or(Ok(()));
        if !matches!(outcome, Err(Error::Socket { .. } | Error::Malformed { .. })) {
            self.socket = Some(socket);
        }
        outcome
    }

    fn reconcile_iptables(&mut self, socket: &mut Socket) -> Result<(), Error> {
        if self.is_iptables_dirty {
            self.iptables.reconcile(socket)?;
            self.is_iptables_dirty = false;
        }
        Ok(())
    }

    fn survey_foreign_chains(&mut self, socket: &mut Socket, now: Instant) -> Result<(), Error> {
        if self.others_at.is_some_and(|at| at <= now) {
            self.others.survey_chains(socket)?;
            self.others_at = None;
        }
        Ok(())
    }

    fn explain(&self, why: &Error) -> String {
        let advice = match why.errno() {
            Some(Errno::EPERM) => " (it takes CAP_NET_ADMIN, and a table that nobody else owns)",
            Some(Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT | Errno::ENOENT) => {
                " (it takes a kernel with nf_tables, nft_fib_inet and nft_masq)"
            }
            _ => "",
        };
        let so = if self.is_ready() {
            ""
        } else {
            "; until then the node is not ready for pods"
        };
        format!("the packet filter is not as it should be: {why}{advice}; trying again{so}")
    }
}
