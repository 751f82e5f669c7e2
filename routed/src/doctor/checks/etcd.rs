//! What is said of etcd, of certificates and of the clock.

use super::finding;
use crate::doctor::{EtcdFacts, Finding, HostFacts, Severity};

/// Clocks that differ by more than so many seconds make logs hard to compare.
const APART: u64 = 5;

/// And by more than so many, certificates that are just made or about to end are refused.
const FAR_APART: u64 = 300;

/// Reachability, certificates and clock; none where the conflist has no etcd.
pub(super) fn examine(facts: &HostFacts) -> Vec<Finding> {
    let Some(etcd) = &facts.etcd else {
        return match facts.pod_cidrs {
            Ok(_) => vec![finding("etcd", Severity::Ok, "none: there is one node")],
            Err(_) => Vec::new(),
        };
    };
    let mut findings = vec![reachability(etcd)];
    findings.extend(certificate(etcd));
    findings.push(clock(etcd));
    findings
}

fn reachability(etcd: &EtcdFacts) -> Finding {
    let check = "etcd";
    let endpoints = etcd.endpoints.join(", ");
    match &etcd.answer {
        Ok(revision) => finding(
            check,
            Severity::Ok,
            format!("{endpoints} answers, at revision {revision}"),
        ),
        Err((why, advice)) => {
            finding(check, Severity::Broken, why.clone()).fix(tls_advice(why).unwrap_or(advice))
        }
    }
}

/// What the words of the TLS library mean for the one who has to mend it.
fn tls_advice(why: &str) -> Option<&str> {
    let said = |text: &str| why.contains(text);
    if said("UnknownIssuer") {
        Some("caFile is not the authority that signed etcd's certificate: put the right one there")
    } else if said("expired") || said("Expired") {
        Some("renew etcd's certificate, or set this host's clock right")
    } else if said("NotValidYet") || said("not valid before") || said("not valid yet") {
        Some("this host's clock is behind, or etcd's certificate is of the future: check both")
    } else if said("NotValidForName") || said("not valid for name") {
        Some(
            "etcd's certificate does not name the endpoint: use a name or address that it has, or \
             add this one",
        )
    } else {
        None
    }
}

fn certificate(etcd: &EtcdFacts) -> Option<Finding> {
    let check = "client certificate";
    Some(match etcd.certificate.as_ref()? {
        Ok(()) => finding(check, Severity::Ok, "valid today"),
        Err(why) => finding(check, Severity::Broken, why.clone())
            .fix("renew it: etcd refuses it, and routed reads the new file when it connects anew"),
    })
}

fn clock(etcd: &EtcdFacts) -> Finding {
    let check = "clock";
    let ahead = match &etcd.ahead {
        Ok(ahead) => *ahead,
        Err(why) => {
            return finding(
                check,
                Severity::Unknown,
                format!("etcd's is not known: {why}"),
            );
        }
    };
    let seconds = ahead.unsigned_abs();
    // The date in its answer has whole seconds.
    let text = match ahead {
        -1..=1 => "the same as etcd's".to_owned(),
        2.. => format!("{seconds} s behind etcd's"),
        _ => format!("{seconds} s ahead of etcd's"),
    };
    let fix =
        "let a time service (chrony, systemd-timesyncd) set the clocks of this host and etcd's";
    if seconds <= APART {
        finding(check, Severity::Ok, text)
    } else if seconds <= FAR_APART {
        finding(check, Severity::Warning, text).fix(fix)
    } else {
        finding(check, Severity::Broken, text).fix(fix)
    }
}
