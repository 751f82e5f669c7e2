//! `routed doctor`: checks whether this host can be a node. It reads the kernel, files and etcd,
//! and changes nothing.
//!
//! Each check is a file of `checks`: it reads its own facts, and judges them with a pure function.
//! Facts that several checks need are in [`CheckContext`].

mod checks;
mod context;
mod finding;
mod ini;
mod setting;
mod tls;

pub(crate) use self::checks::run_all;
pub(crate) use self::context::CheckContext;
pub(crate) use self::finding::{Finding, Severity};
pub(crate) use self::setting::Setting;
