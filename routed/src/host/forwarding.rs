//! Switches IP forwarding on for the families of the pod CIDRs, and keeps the settings right of each
//! link on the way of pods' packets.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use daemonkit::OnChange;
use ipnet::IpNet;
use registry::Network;
use tracing::{debug, error, info};
use wire::{forwarding, sysctl};

use super::link_settings::{self, Drift, Uplinks};
use crate::kernel::Netlink;
use crate::timeouts::SYSCTL_REPAIR_PERIOD;

/// A setting is put right at most this many times within [`SYSCTL_REPAIR_PERIOD`]: two programs that
/// both insist on their value would otherwise change it thousands of times a second.
const MAX_REPAIRS: usize = 3;

/// Why the node does not forward.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel's links, addresses or routes could not be listed.
    #[error(transparent)]
    Netlink(#[from] wire::netlink::Error),
    /// A setting could not be read or changed; the message names it.
    #[error(transparent)]
    Setting(#[from] io::Error),
    /// Another program changes a setting again and again.
    #[error(
        "another program keeps changing {setting}, which must be {value}: routed has put it back \
         {MAX_REPAIRS} times within ten minutes, and waits now; look at systemd-networkd, NetworkManager \
         and /etc/sysctl.d"
    )]
    Contested {
        /// The setting, as sysctl(8) takes it.
        setting: String,
        /// The value that it should have.
        value: &'static str,
        /// Whether packets are not forwarded because of it.
        blocks: bool,
    },
}

/// Whether the node forwards.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    is_on: bool,
    failure: OnChange,
    repairs: Repairs,
}

impl Forwarding {
    /// Whether the node forwarded at the last [`Self::ensure`].
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Why it does not forward.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.current()
    }

    /// Switches forwarding on where it is off. Returns whether the node forwards.
    pub(super) fn ensure(
        &mut self,
        kernel: &mut Netlink,
        network: &Network,
        uplinks: Uplinks<'_>,
        now: Instant,
    ) -> bool {
        let mut changed = Vec::new();
        let result = self.try_ensure(kernel, network, uplinks, now, &mut changed);
        if !changed.is_empty() {
            info!("forwarding switched on: {}", changed.join(", "));
        }
        self.is_on = matches!(result, Ok(()) | Err(Error::Contested { blocks: false, .. }));
        match result {
            Ok(()) => drop(self.failure.clear()),
            Err(error) => {
                let text = if self.is_on {
                    error.to_string()
                } else {
                    format!("this node does not forward packets for its pods: {error}")
                };
                if self.failure.changed(&text) {
                    error!(%error, "{text}");
                }
            }
        }
        self.is_on
    }

    fn try_ensure(
        &mut self,
        kernel: &mut Netlink,
        network: &Network,
        uplinks: Uplinks<'_>,
        now: Instant,
        changed: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mut may_repair = |setting: &str| self.repairs.may_repair(setting, now);
        for setting in settings_of(network) {
            if forwarding::is_off(setting)? && !may_repair(setting) {
                return Err(contested(setting, "1", true));
            }
        }
        changed.extend(ensure_families(network)?);
        let drift = link_settings::drift(kernel, network, uplinks)?;
        repair(kernel, &drift, may_repair, changed)
    }
}

/// Switches forwarding on where it is off, once. Returns the settings that were changed, as `name =
/// value`.
pub(crate) fn ensure_once(kernel: &mut Netlink, network: &Network) -> Result<Vec<String>, Error> {
    let mut changed = ensure_families(network)?;
    let drift = link_settings::drift_now(kernel, network, &[])?;
    repair(kernel, &drift, |_| true, &mut changed)?;
    Ok(changed)
}

fn ensure_families(network: &Network) -> io::Result<Vec<String>> {
    let has = |setting| settings_of(network).any(|it| it == setting);
    forwarding::ensure(has(forwarding::IPV4), has(forwarding::IPV6))
}

/// The settings for the families of the pod CIDRs.
fn settings_of(network: &Network) -> impl Iterator<Item = &'static str> {
    let cidrs = network.pod_cidrs.iter();
    cidrs.map(|cidr| match cidr {
        IpNet::V4(_) => forwarding::IPV4,
        IpNet::V6(_) => forwarding::IPV6,
    })
}

fn contested(name: &str, value: &'static str, blocks: bool) -> Error {
    let setting = sysctl::dotted(name);
    Error::Contested {
        setting,
        value,
        blocks,
    }
}

/// Puts the settings of links right, if `may_repair` says so.
fn repair(
    kernel: &mut Netlink,
    drift: &[Drift],
    mut may_repair: impl FnMut(&str) -> bool,
    changed: &mut Vec<String>,
) -> Result<(), Error> {
    let mut result = Ok(());
    for drift in drift {
        let (name, value) = drift.setting();
        if !may_repair(&name) {
            let blocks = matches!(drift, Drift::Forwarding { .. });
            if blocks || result.is_ok() {
                result = Err(contested(&name, value, blocks));
            }
            continue;
        }
        match sysctl::ensure(&name, value) {
            Ok(true) => changed.push(format!("{} = {value}", sysctl::dotted(&name))),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // The link is gone.
            Err(error) => return Err(error.into()),
        }
        if let Drift::Advertisements { index, link } = drift
            && let Err(error) = kernel.with(|socket| socket.solicit_routers(*index))
        {
            // Routers advertise from time to time without a solicitation.
            debug!(%link, %error, "cannot solicit router advertisements on {link}: {error}");
        }
    }
    result
}

/// When each setting of a link was put right.
#[derive(Debug, Default)]
struct Repairs(BTreeMap<String, Vec<Instant>>);

impl Repairs {
    /// Whether the setting may be put right at `now`; if so, that counts as done.
    fn may_repair(&mut self, setting: &str, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.duration_since(*at) < SYSCTL_REPAIR_PERIOD;
        self.0.retain(|_, done| done.iter().any(is_recent));
        let done = self.0.entry(setting.to_owned()).or_default();
        done.retain(is_recent);
        let is_allowed = done.len() < MAX_REPAIRS;
        if is_allowed {
            done.push(now);
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests;
