//! The requirements of the spec, one [`Row`] each.

mod add;
mod check;
mod config;
mod conventions;
mod del;
mod delegation;
mod errors;
mod gc;
mod ipam;
mod lifecycle;
mod parameters;
mod result;
mod schema;
mod status;
mod version;

use std::fmt;

use super::spec::Spec;
use super::subject::PluginKind;
use super::testbed::Testbed;
use super::verdict::Judged;

/// The level of a requirement (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// MUST or MUST NOT, or a defined format.
    Must,
    /// SHOULD or SHOULD NOT.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// A requirement of the spec.
pub struct Row {
    /// A short name, which must not change.
    pub id: &'static str,
    /// The heading in SPEC.md or CONVENTIONS.md.
    pub section: &'static str,
    /// MUST or SHOULD.
    pub level: Level,
    /// What a conforming plugin does.
    pub text: &'static str,
    /// The kinds of plugins that it concerns.
    pub(super) binds: &'static [PluginKind],
    /// The first version of the spec that has it.
    pub(super) since: Spec,
    pub(super) check: Check,
}

/// Whether the plugin on this machine meets the requirement.
type Check = fn(&Testbed<'_>) -> Judged;

const EVERY: &[PluginKind] = &[PluginKind::Interface, PluginKind::Ipam, PluginKind::Chained];
const INTERFACE: &[PluginKind] = &[PluginKind::Interface];
const IPAM: &[PluginKind] = &[PluginKind::Ipam];
/// Plugins that are called first for an attachment.
const FIRST: &[PluginKind] = &[PluginKind::Interface, PluginKind::Ipam];
/// Plugins that runtimes call.
const CALLED: &[PluginKind] = &[PluginKind::Interface, PluginKind::Chained];

impl Row {
    const fn must(
        id: &'static str,
        section: &'static str,
        binds: &'static [PluginKind],
        text: &'static str,
        check: Check,
    ) -> Self {
        Self {
            id,
            section,
            level: Level::Must,
            text,
            binds,
            since: Spec::V0_3_0,
            check,
        }
    }

    const fn should(
        id: &'static str,
        section: &'static str,
        binds: &'static [PluginKind],
        text: &'static str,
        check: Check,
    ) -> Self {
        Self {
            level: Level::Should,
            ..Self::must(id, section, binds, text, check)
        }
    }

    const fn since(self, since: Spec) -> Self {
        Self { since, ..self }
    }
}

/// All requirements, in the order of the spec.
pub fn all() -> impl Iterator<Item = &'static Row> {
    let groups: [&[Row]; 15] = [
        config::ROWS,
        parameters::ROWS,
        add::ROWS,
        del::ROWS,
        check::ROWS,
        status::ROWS,
        version::ROWS,
        gc::ROWS,
        lifecycle::ROWS,
        delegation::ROWS,
        result::ROWS,
        schema::ROWS,
        ipam::ROWS,
        errors::ROWS,
        conventions::ROWS,
    ];
    groups.into_iter().flatten()
}

#[cfg(test)]
mod tests;
