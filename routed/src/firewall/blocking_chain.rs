//! A chain that keeps pods' packets from passing.

/// A chain that drops everything that no rule of it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockingChain {
    /// The name of the chain, with its table or program.
    pub(crate) chain: String,
    /// Whether rules accept pods.
    pub(crate) passes: bool,
    /// The commands that let pods pass.
    pub(crate) fix: String,
}
