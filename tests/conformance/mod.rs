//! A conformance suite for CNI plugins.
//!
//! It runs any plugin as an executable, on a machine of the lab that the plugin has to itself, and
//! judges it by what the CNI spec says that a plugin must and should do. Each requirement is a
//! [`Row`]; each row starts with a fresh machine, so that none depends on another.
//!
//! The source is SPEC.md of containernetworking/cni at version 1.1.0, with what 0.3.1 to 1.0.0 say
//! otherwise, and CONVENTIONS.md beside it. Rows are for plugins only: what binds runtimes alone is
//! left out, and so is what cannot be brought about from outside (codes 3 and 11, a GC that meets an
//! error on its way) or is a plugin's own (`ipMasq`, firewall rules).

mod answer;
mod call;
mod kernel;
mod pod;
mod report;
mod rows;
mod spec;
mod spy;
mod stage;
mod subject;
mod table;
mod verdict;

pub use report::{Report, judge};
pub use rows::{Level, Row, all};
pub use spec::Spec;
pub use subject::{Kind, Subject};
pub use table::{details, json, table};
pub use verdict::Verdict;
