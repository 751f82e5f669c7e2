//! From events to rules: an [`Engine`] is told what changes in the cluster and on the node, and gives
//! the change of the node's rules.

mod build;
mod chains;
mod draft;
mod engine;
mod event;
mod explain;
mod judge;
mod parts;
mod refresh;
mod sets;

pub use engine::{Engine, PolicyProblem, UndecidedPod};
pub use event::PolicyEvent;
pub use explain::{ExplainError, Explanation};
pub use judge::{DirectionExplanation, ExplainStep, StepOutcome};

#[cfg(test)]
mod tests;
