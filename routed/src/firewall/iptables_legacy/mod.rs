//! The FORWARD chains of iptables-legacy. They send no events and are changed only with the program
//! itself, so they are polled if iptables has a table.

mod plan;

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daemonkit::OnChange;
use ipnet::IpNet;
use tracing::{info, warn};
use wire::nft::IpVersion;

use self::plan::LegacyPlan;
pub(super) use self::plan::advice;
use crate::firewall::blocking_chain::BlockingChain;
use crate::firewall::forward::CHAIN;
use crate::timeouts::{
    IPTABLES_LEGACY_BUSY_RETRY_DELAY, IPTABLES_LEGACY_CHECK_INTERVAL,
    IPTABLES_LEGACY_DROPPING_CHECK_INTERVAL,
};

/// The exit status of iptables if another program holds the lock of the tables.
const EXIT_BUSY: i32 = 4;

/// The chains of both IP versions.
#[derive(Debug)]
pub(super) struct IptablesLegacy {
    chains: [LegacyChain; 2],
    check_at: Instant,
}

/// The chain of one IP version.
#[derive(Debug)]
struct LegacyChain {
    /// The file that lists the tables of this IP version.
    tables: &'static str,
    /// The program that is iptables-legacy for sure, and the one that may be.
    programs: [&'static str; 2],
    /// The one of them that is iptables-legacy, once it is known.
    program: Option<&'static str>,
    pod_cidrs: Vec<IpNet>,
    /// Whether it drops pods' packets without our rules.
    drops: bool,
    last_error: OnChange,
}

/// Why a chain could not be read or changed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("another program holds the lock of the iptables tables")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

impl IptablesLegacy {
    /// With nothing known yet.
    pub(super) fn new(pod_cidrs: &[IpNet], now: Instant) -> Self {
        let chain = |version, tables, programs| LegacyChain {
            tables,
            programs,
            program: None,
            pod_cidrs: pod_cidrs
                .iter()
                .filter(|cidr| IpVersion::of(cidr.network()) == version)
                .copied()
                .collect(),
            drops: false,
            last_error: OnChange::default(),
        };
        let v4 = ["iptables-legacy", "iptables"];
        let v6 = ["ip6tables-legacy", "ip6tables"];
        Self {
            chains: [
                chain(IpVersion::V4, "/proc/net/ip_tables_names", v4),
                chain(IpVersion::V6, "/proc/net/ip6_tables_names", v6),
            ],
            check_at: now,
        }
    }

    /// When the next check is due.
    pub(super) fn check_at(&self) -> Instant {
        self.check_at
    }

    /// The errors of the last checks.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &str> {
        self.chains
            .iter()
            .filter_map(|chain| chain.last_error.current())
    }

    /// Reads the chains and adds or removes our rules.
    pub(super) fn check(&mut self, now: Instant) {
        let pauses = self.chains.each_mut().map(LegacyChain::check);
        self.check_at = now
            + pauses
                .into_iter()
                .min()
                .unwrap_or(IPTABLES_LEGACY_CHECK_INTERVAL);
    }
}

/// Rules of ours that a daemon left in a chain.
#[derive(Debug)]
pub(crate) struct LegacyRules {
    /// The program that lists and deletes them.
    pub(super) program: &'static str,
    /// The commands that delete them, one for each.
    pub(super) commands: Vec<Vec<String>>,
}

impl LegacyRules {
    /// Deletes them.
    pub(super) fn remove(&self) -> Result<(), String> {
        let mut commands = self.commands.iter();
        let deleted = commands.try_for_each(|arguments| run(self.program, arguments).map(drop));
        deleted.map_err(|error| error.to_string())
    }
}

/// The chains of both IP versions that drop pods' packets without our rules, with the commands for a
/// shell that let pods pass, and why others cannot be read.
pub(super) fn dropping_chains(pod_cidrs: &[IpNet]) -> (Vec<BlockingChain>, Vec<String>) {
    read_chains(pod_cidrs, |chain| {
        if chain.pod_cidrs.is_empty() {
            return Ok(None);
        }
        let read = chain.read()?.filter(|(_, plan)| plan.drops);
        Ok(read.map(|(program, plan)| BlockingChain {
            chain: format!("{CHAIN} of {program}"),
            passes: plan.commands.is_empty(),
            fix: advice(program, &chain.pod_cidrs),
        }))
    })
}

/// Our rules in the chains of both IP versions, and why other chains cannot be read.
pub(super) fn rules() -> (Vec<LegacyRules>, Vec<String>) {
    // Without pod CIDRs the plan deletes all our rules.
    read_chains(&[], |chain| {
        let read = chain.read()?.filter(|(_, plan)| !plan.commands.is_empty());
        Ok(read.map(|(program, LegacyPlan { commands, .. })| LegacyRules { program, commands }))
    })
}

fn read_chains<T>(
    pod_cidrs: &[IpNet],
    read: impl Fn(&mut LegacyChain) -> Result<Option<T>, Error>,
) -> (Vec<T>, Vec<String>) {
    let (mut found, mut hidden) = (Vec::new(), Vec::new());
    for mut chain in IptablesLegacy::new(pod_cidrs, Instant::now()).chains {
        match read(&mut chain) {
            Ok(one) => found.extend(one),
            Err(error) => hidden.push(error.to_string()),
        }
    }
    (found, hidden)
}

impl LegacyChain {
    /// The program that lists the chain, and the plan for the chain; `None` without a table.
    fn read(&mut self) -> Result<Option<(&'static str, LegacyPlan)>, Error> {
        if !self.has_table() {
            return Ok(None);
        }
        let program = self.program()?;
        let listing = run(program, &["-S", CHAIN])?;
        Ok(Some((program, plan::plan(&listing, &self.pod_cidrs))))
    }

    /// Checks the chain. Returns when to check it again.
    fn check(&mut self) -> Duration {
        if self.pod_cidrs.is_empty() || !self.has_table() {
            self.drops = false;
            self.last_error.clear();
            return IPTABLES_LEGACY_CHECK_INTERVAL;
        }
        match self.reconcile() {
            Ok(()) => {
                self.last_error.clear();
                if self.drops {
                    IPTABLES_LEGACY_DROPPING_CHECK_INTERVAL
                } else {
                    IPTABLES_LEGACY_CHECK_INTERVAL
                }
            }
            Err(Error::Busy) => IPTABLES_LEGACY_BUSY_RETRY_DELAY,
            Err(Error::Failed(error)) => {
                if self.last_error.changed(&error) {
                    warn!(error = %error, "{error}");
                }
                IPTABLES_LEGACY_CHECK_INTERVAL
            }
        }
    }

    /// Whether iptables has the table. Running iptables would create it.
    fn has_table(&self) -> bool {
        fs::read_to_string(self.tables)
            .is_ok_and(|names| names.lines().any(|name| name == "filter"))
    }

    fn reconcile(&mut self) -> Result<(), Error> {
        let program = self.program()?;
        let listing = run(program, &["-S", CHAIN])?;
        let LegacyPlan { drops, commands } = plan::plan(&listing, &self.pod_cidrs);
        for arguments in &commands {
            run(program, arguments)?;
        }
        if !commands.is_empty() {
            match (self.drops, drops) {
                (true, true) => {
                    warn!("our rules in chain {CHAIN} of {program} were changed: restored");
                }
                (false, true) => info!(
                    "chain {CHAIN} of {program} drops what no rule accepts: added rules that accept pods"
                ),
                (_, false) => info!(
                    "chain {CHAIN} of {program} no longer drops everything: removed our rules"
                ),
            }
        }
        self.drops = drops;
        Ok(())
    }

    fn program(&mut self) -> Result<&'static str, Error> {
        if let Some(program) = self.program {
            return Ok(program);
        }
        let is_legacy = |program: &&&'static str| {
            run(program, &["-V"]).is_ok_and(|version| !version.contains("nf_tables"))
        };
        let [legacy, _] = self.programs;
        let found = self.programs.iter().find(is_legacy).copied();
        self.program = found;
        found.ok_or_else(|| {
            let advice = if self.pod_cidrs.is_empty() {
                String::new()
            } else {
                let pass = advice(legacy, &self.pod_cidrs);
                format!(
                    ": if pods' packets are dropped, see what `{legacy} -S {CHAIN}` says on the \
                     node, and there let pods pass: {pass}"
                )
            };
            Error::Failed(format!(
                "iptables has a table here that only {legacy} can show, and that program is \
                 missing{advice}"
            ))
        })
    }
}

fn run<S: AsRef<str>>(program: &str, arguments: &[S]) -> Result<String, Error> {
    let arguments = || arguments.iter().map(AsRef::as_ref);
    let failed = |error: &dyn std::fmt::Display| {
        let arguments: Vec<&str> = arguments().collect();
        Error::Failed(format!("{program} {}: {error}", arguments.join(" ")))
    };
    let output = Command::new(program)
        .args(arguments())
        .stdin(Stdio::null())
        .output()
        .map_err(|error: io::Error| failed(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    if output.status.code() == Some(EXIT_BUSY) {
        return Err(Error::Busy);
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr).trim()))
}
