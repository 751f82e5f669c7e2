//! Check: does etcd answer `routed`?

use registry::Registry;
use wire::conf::IpamConfig;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;

const CHECK: &str = "etcd";

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let Ok(conflist) = context.conflist else {
        return Vec::new();
    };
    let Some(etcd) = context.etcd() else {
        return vec![Finding::ok(CHECK, "none: there is one node")];
    };
    let answer = revision(conflist.ipam()).await;
    let answer = answer.map_err(|error| (error.message(), error.advice()));
    vec![examine(&etcd.endpoints, &answer)]
}

async fn revision(conf: &IpamConfig) -> Result<i64, registry::Error> {
    Ok(Registry::open(conf)?.snapshot().await?.revision)
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
            Finding::broken(CHECK, error).fix(tls_advice(error).unwrap_or(advice))
        }
    }
}

/// What to do about an error of the TLS library.
fn tls_advice(error: &str) -> Option<&'static str> {
    let has = |text: &str| error.contains(text);
    if has("UnknownIssuer") {
        Some("caFile is not the authority that signed etcd's certificate: put the right one there")
    } else if has("expired") || has("Expired") {
        Some("renew etcd's certificate, or correct this host's clock")
    } else if has("NotValidYet") || has("not valid before") || has("not valid yet") {
        Some("this host's clock is behind, or etcd's certificate is not valid yet: check both")
    } else if has("NotValidForName") || has("not valid for name") {
        Some(
            "etcd's certificate does not name the endpoint: use a name or address that it has, or \
             add this one",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn each_failure_of_etcd_has_its_advice() {
        let endpoints = ["https://192.168.1.2:2379".to_owned()];
        examine(&endpoints, &Ok(42)).assert(Severity::Ok, "at revision 42", "");
        for (error, fix) in [
            ("no connection in time", "check that etcd runs"),
            ("invalid peer certificate: UnknownIssuer", "caFile is not"),
            (
                "invalid peer certificate: certificate expired: ...",
                "renew etcd's",
            ),
            (
                "invalid peer certificate: certificate not valid for name",
                "does not name",
            ),
        ] {
            let answer = Err((error.to_owned(), "check that etcd runs"));
            examine(&endpoints, &answer).assert(Severity::Broken, error, fix);
        }
    }
}
