//! The list of checks. A new check is a file here, with a `check` that reads its facts and hands
//! them to a pure `examine`, and a line in [`run_all`].

mod client_certificate;
mod clock;
mod conflist;
mod etcd;
mod foreign_routes;
mod forward_policy;
mod forwarding;
mod installed_conflist;
mod kubernetes;
mod ledger;
mod locks;
mod mtu;
mod neighbour_table;
mod network_manager;
mod networkd;
mod overlapping_cidrs;
mod packet_paths;
mod policy;
mod programs;
mod rp_filter;
mod runtime_programs;

use super::context::CheckContext;
use super::finding::Finding;

/// Runs all checks, the most fundamental ones first.
pub(crate) async fn run_all(context: &CheckContext<'_>) -> Vec<Finding> {
    [
        conflist::check(context),
        installed_conflist::check(context),
        programs::check(context),
        runtime_programs::check(context),
        ledger::check(context),
        locks::check(context),
        forwarding::check(context),
        forward_policy::check(context),
        rp_filter::check(context),
        networkd::check(context),
        network_manager::check(context),
        overlapping_cidrs::check(context),
        foreign_routes::check(context),
        packet_paths::check(context).await,
        policy::check(context).await,
        mtu::check(context),
        neighbour_table::check(context),
        etcd::check(context).await,
        kubernetes::check(context).await,
        client_certificate::check(context),
        clock::check(context).await,
    ]
    .concat()
}
