//! Check: does etcd answer `routed`?

use std::iter;

use registry::{Registry, Session, Snapshot, tls_problem};
use wire::node::MachineId;
use wire::paths::run_dir;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;

const CHECK: &str = "etcd";

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let Ok(conflist) = context.conflist else {
        return Vec::new();
    };
    let Some(etcd) = context.etcd() else {
        let is_local = conflist.ipam().is_local();
        let alone = is_local.then(|| Finding::ok(CHECK, "none: there is one node"));
        return alone.into_iter().collect();
    };
    let answer = Registry::open(conflist.ipam()).snapshot().await;
    let clone = answer.as_ref().ok().and_then(|snapshot| {
        let machine = MachineId::read().ok()?;
        let session = Session::stored_id(&run_dir(conflist.network()));
        find_clone(snapshot, machine.as_str(), session.as_deref())
    });
    let answer = answer.map(|snapshot| snapshot.revision);
    let answer = answer.map_err(|error| (error.message(), error.advice()));
    let finding = examine(&etcd.endpoints, &answer);
    iter::once(finding).chain(clone).collect()
}

/// Whether another machine with this `machine` id is present in another session.
fn find_clone(snapshot: &Snapshot, machine: &str, session: Option<&str>) -> Option<Finding> {
    let mut others = snapshot.nodes.iter().filter_map(|(node, record)| {
        let presence = snapshot.presence.get(node)?;
        let is_other = session.is_some_and(|ours| presence.session != ours)
            && record.session.as_ref() == Some(&presence.session);
        (record.machine_id == machine && is_other).then_some((node, presence))
    });
    let (node, presence) = others.next()?;
    let address = presence.address.map(|address| format!(" at {address}"));
    let evidence = format!(
        "machine-id {machine} of this machine is also that of node {node}, which is present{}: a \
         clone?",
        address.unwrap_or_default()
    );
    let fix = "give the clone a machine id of its own (rm /etc/machine-id, then \
               systemd-machine-id-setup), and another node name";
    Some(Finding::broken(CHECK, evidence).fix(fix))
}

/// `answer`: the revision of etcd, or what failed and what to do about it.
fn examine(endpoints: &[String], answer: &Result<i64, (String, &str)>) -> Finding {
    match answer {
        Ok(revision) => {
            let endpoints = endpoints.join(", ");
            Finding::ok(
                CHECK,
                format!("{endpoints} answers, at revision {revision}"),
            )
        }
        Err((error, advice)) => {
            Finding::broken(CHECK, error).fix(tls_problem(error).map_or(*advice, |it| it.cure))
        }
    }
}

#[cfg(test)]
mod tests;
