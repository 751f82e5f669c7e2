//! Check: are the network policies enforced, if they are to be? What `routed status` knows as well is
//! judged by its own sentences.

mod kernel;

use daemonkit::FLATLAND_POLICY;
use daemonkit::http::client;
use wire::paths::POLICY_READY;
use wire::policy_program;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::status::policy::{PolicyStatus, leftover_table};

const CHECK: &str = "policy";

/// What `flatland-policy` shows of itself. What could not be read has the reason instead.
struct PolicyFacts {
    /// What `routed status` shows.
    status: PolicyStatus,
    /// What it answers, if it runs.
    answer: Option<PolicyReadiness>,
    /// Whether its table is in the kernel.
    table: Result<bool, String>,
    /// Whether the kernel takes its rules; only tried while the table is not there.
    kernel: Option<Result<(), String>>,
}

/// What a program that runs says of its rules.
enum PolicyReadiness {
    /// They are those of the policies.
    Ready,
    /// Not yet, with what is missing.
    NotReady(String),
    /// It does not answer, for this reason.
    Silent(String),
}

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let Ok(conflist) = &context.conflist else {
        return Vec::new();
    };
    let status = PolicyStatus::read();
    let table = policy_program::has_table().map_err(|error| error.to_string());
    if conflist.plugin().policy.is_none() {
        return examine_unused(&status, &table);
    }
    let answer = match status.running {
        Some(true) => Some(query_readiness().await),
        _ => None,
    };
    let kernel = (table == Ok(false)).then(kernel::try_rules);
    examine(&PolicyFacts {
        status,
        answer,
        table,
        kernel,
    })
}

async fn query_readiness() -> PolicyReadiness {
    match client::readiness(FLATLAND_POLICY).await {
        Ok(()) => PolicyReadiness::Ready,
        Err(client::Error::Refused(missing)) => {
            PolicyReadiness::NotReady(missing.lines().collect::<Vec<_>>().join("; "))
        }
        Err(client::Error::NotRunning(daemon)) => {
            PolicyReadiness::Silent(format!("no program listens on {}", daemon.socket))
        }
        Err(error) => PolicyReadiness::Silent(error.to_string()),
    }
}

fn examine(facts: &PolicyFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(examine_program(&facts.status));
    findings.extend(facts.answer.as_ref().and_then(examine_answer));
    let table = policy_program::table();
    match &facts.table {
        Ok(false) if facts.status.ready => {
            let text = format!(
                "table {table} is missing in the kernel, although {POLICY_READY} is there: no \
                 NetworkPolicy is enforced"
            );
            findings.push(Finding::broken(CHECK, text).fix(
                "start flatland-policy, which puts it back; until then, rm that file, so that no \
                 further pod is added without rules",
            ));
        }
        Ok(_) => {}
        Err(why) => findings.push(Finding::unknown(CHECK, format!("table {table}: {why}"))),
    }
    if let Some(Err(why)) = &facts.kernel {
        let text = format!("the kernel does not take the rules of network policies: {why}");
        findings.push(
            Finding::broken(CHECK, text)
                .fix("use a kernel with nf_tables, nft_ct, nft_log and nft_limit"),
        );
    }
    if findings.is_empty() {
        let text = format!("flatland-policy runs, and table {table} is in the kernel");
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// The trouble that `routed status` has, too.
fn examine_program(status: &PolicyStatus) -> Option<Finding> {
    let trouble = status.trouble()?;
    Some(match status.running {
        Some(true) => Finding::broken(CHECK, trouble).fix("look at the log of flatland-policy"),
        Some(false) => Finding::broken(CHECK, trouble).fix("start flatland-policy on this node"),
        None => Finding::unknown(CHECK, trouble),
    })
}

fn examine_answer(answer: &PolicyReadiness) -> Option<Finding> {
    match answer {
        PolicyReadiness::Ready => None,
        PolicyReadiness::NotReady(missing) => {
            let text = format!("the rules are not those of the network policies: {missing}");
            Some(
                Finding::broken(CHECK, text)
                    .fix("flatland-policy status says more; so does its log"),
            )
        }
        PolicyReadiness::Silent(why) => {
            let text = format!("flatland-policy runs, but does not answer: {why}");
            Some(
                Finding::broken(CHECK, text)
                    .fix("look at the log of flatland-policy, and restart it if this lasts"),
            )
        }
    }
}

/// Without a `policy` section: the table of a program that was removed closes new pods for ever.
fn examine_unused(status: &PolicyStatus, table: &Result<bool, String>) -> Vec<Finding> {
    if *table != Ok(true) {
        return Vec::new();
    }
    let text = leftover_table();
    let table = policy_program::table();
    let fix = format!(
        "where NetworkPolicies are to be enforced, put \"policy\": {{}} into the conflist; otherwise \
         stop flatland-policy, and then: nft delete table {table}; rm {POLICY_READY}"
    );
    let finding = match status.running {
        Some(true) => Finding::warning(CHECK, text),
        _ => Finding::broken(CHECK, text),
    };
    vec![finding.fix(fix)]
}

#[cfg(test)]
mod tests;
