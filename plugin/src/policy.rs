//! NetworkPolicies: whether a new pod would have its rules before its first packet.

use wire::cni::{Error, code};
use wire::conf::PluginConfig;
use wire::paths::POLICY_READY;
use wire::policy_program;

/// Refuses to go on while the rules that a pod would have cannot be in the kernel: after a boot,
/// until `flatland-policy` has made its table. From then on the table closes new pods that are not
/// decided yet, whether the program runs or not.
///
/// Without a `policy` section there are no rules to wait for.
pub(crate) fn require_rules(config: &PluginConfig) -> Result<(), Error> {
    decide(config.policy.is_none() || policy_program::has_been_ready())
}

fn decide(may_add: bool) -> Result<(), Error> {
    if may_add {
        return Ok(());
    }
    let msg = format!(
        "flatland-policy has not put the rules of NetworkPolicies into the kernel since the boot \
         (there is no {POLICY_READY})"
    );
    Err(Error::new(code::TRY_AGAIN, msg).advise(
        "start flatland-policy on this node; if it runs, its log says what it waits for. Where no \
         NetworkPolicies are to be enforced, remove \"policy\" from the conflist",
    ))
}

#[cfg(test)]
mod tests;
