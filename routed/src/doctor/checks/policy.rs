//! Check: are the NetworkPolicies enforced, if they are to be?

use wire::paths::{POLICY_LOCK, POLICY_READY};
use wire::policy_program;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;

const CHECK: &str = "policy";

/// What `flatland-policy` shows of itself. What could not be read has the reason instead.
struct PolicyFacts {
    /// Whether its mark says that its table has been in the kernel since the boot.
    ready: bool,
    /// Whether it holds its lock.
    running: Result<bool, String>,
    /// Whether its table is in the kernel.
    table: Result<bool, String>,
}

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let Ok(conflist) = &context.conflist else {
        return Vec::new();
    };
    let facts = PolicyFacts {
        ready: policy_program::has_been_ready(),
        running: policy_program::is_running().map_err(|error| format!("{POLICY_LOCK}: {error}")),
        table: policy_program::has_table().map_err(|error| error.to_string()),
    };
    match conflist.plugin().policy {
        Some(_) => examine(&facts),
        None => examine_unused(&facts),
    }
}

fn examine(facts: &PolicyFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.ready {
        let text = format!("there is no {POLICY_READY}: no pod can be added (code 11)");
        findings.push(Finding::broken(CHECK, text).fix(
            "flatland-policy makes it once its rules are in the kernel: start it; if it runs, its log \
             says what it waits for",
        ));
    }
    match &facts.running {
        Ok(true) => {}
        Ok(false) => {
            let text = format!(
                "flatland-policy does not run ({POLICY_LOCK} is not locked): running pods keep their \
                 rules, new pods are closed"
            );
            findings.push(Finding::broken(CHECK, text).fix("start flatland-policy on this node"));
        }
        Err(why) => findings.push(Finding::unknown(CHECK, why)),
    }
    let table = policy_program::table();
    match &facts.table {
        Ok(false) if facts.ready => {
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
    if findings.is_empty() {
        let text = format!("flatland-policy runs, and table {table} is in the kernel");
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// Without a `policy` section: the table of a program that was removed closes new pods for ever.
fn examine_unused(facts: &PolicyFacts) -> Vec<Finding> {
    if facts.table != Ok(true) {
        return Vec::new();
    }
    let table = policy_program::table();
    let text = format!(
        "the conflist has no \"policy\", but table {table} is in the kernel: it closes each pod that \
         flatland-policy does not know"
    );
    let fix = format!(
        "where NetworkPolicies are to be enforced, put \"policy\": {{}} into the conflist; otherwise \
         stop flatland-policy, and then: nft delete table {table}; rm {POLICY_READY}"
    );
    let finding = match facts.running {
        Ok(true) => Finding::warning(CHECK, text),
        _ => Finding::broken(CHECK, text),
    };
    vec![finding.fix(fix)]
}

#[cfg(test)]
mod tests;
