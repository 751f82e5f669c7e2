//! A conformance suite for CNI plugins.
//!
//! It runs any plugin as an executable on a machine of the lab, and judges it by what the CNI spec
//! says a plugin must and should do. Each requirement is a [`Row`]. Each row starts with a fresh
//! machine, so that rows do not depend on each other.
//!
//! The source is SPEC.md of containernetworking/cni at version 1.1.0, with the differences of 0.3.1
//! to 1.0.0, and CONVENTIONS.md beside it. Rows concern plugins only. Requirements for runtimes are
//! left out, and so are those that a test cannot trigger from outside (codes 3 and 11, a GC that
//! meets an error on its way) and features of single plugins (`ipMasq`, firewall rules).

mod answer;
mod call;
mod ipam_wrapper;
mod kernel;
mod pod;
mod report;
mod rows;
mod spec;
mod subject;
mod table;
mod testbed;
mod verdict;

pub use report::{ConformanceReport, judge};
pub use rows::{Level, Row, all};
pub use spec::Spec;
pub use subject::{PluginKind, Subject};
pub use table::{details, json, table};
pub use verdict::RowVerdict;
