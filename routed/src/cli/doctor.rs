//! `routed doctor`: can this host be a node, and if not why.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::{CommandError, Format, Network, Report, json, wait};
use crate::cli::terminal::{Terminal, Tone};
use crate::doctor::{Finding, Severity, collect, examine};

/// The flags of `routed doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    network: Network,

    /// A prefix that the cluster's services get their addresses from; several with commas.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    service_cidr: Vec<IpNet>,

    /// The address by which peers reach this node, as for routed run; several with commas.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    node_address: Vec<IpAddr>,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct DoctorOutput<'a> {
    broken: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Examines this host.
pub(crate) fn run(args: &DoctorArgs) -> Result<Report, CommandError> {
    let conflist = match args.network.read() {
        Ok(conflist) => Ok(conflist),
        // Somebody named it: it is to be read.
        Err(failure) if args.network.is_named() => return Err(failure),
        Err(failure) => Err(failure.text),
    };
    let conflist = conflist.as_ref().map_err(Clone::clone);
    let services = args.service_cidr.iter().map(IpNet::trunc).collect();
    let facts =
        wait(async { Ok(collect(conflist, services, &args.node_address, &args.cni_bin).await) })?;
    let findings = examine(&facts);
    let count = |verdict| findings.iter().filter(|it| it.verdict == verdict).count();
    let (broken, warnings) = (count(Severity::Broken), count(Severity::Warning));
    let text = match args.output {
        Format::Table => render(&findings, Terminal::of_stdout()),
        Format::Json => json(&DoctorOutput {
            broken,
            warnings,
            findings: &findings,
        })?,
    };
    let status = u8::from(broken > 0);
    Ok(Report { text, status })
}

fn render(findings: &[Finding], screen: Terminal) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let (word, tone) = match finding.verdict {
            Severity::Ok => ("ok", Tone::Good),
            Severity::Warning => ("warning", Tone::Doubtful),
            Severity::Broken => ("broken", Tone::Bad),
            Severity::Unknown => ("unknown", Tone::Doubtful),
        };
        let word = screen.paint(&format!("{word:<7}"), tone);
        let (check, evidence) = (finding.check, &finding.evidence);
        lines.push(format!("{word}  {check}: {evidence}"));
        lines.extend(finding.fix.as_ref().map(|fix| format!("{:9}{fix}", "")));
    }
    let count = |verdict| findings.iter().filter(|it| it.verdict == verdict).count();
    let (broken, warnings) = (count(Severity::Broken), count(Severity::Warning));
    lines.push(format!("\n{broken} broken, {warnings} warnings"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_line_and_what_is_wrong_has_its_fix_below() {
        let finding = |check, verdict, fix: Option<&str>| Finding {
            check,
            verdict,
            evidence: "as seen".into(),
            fix: fix.map(Into::into),
        };
        let findings = [
            finding("MTU", Severity::Ok, None),
            finding("etcd", Severity::Broken, Some("start it")),
        ];
        let expected = "\
ok       MTU: as seen
broken   etcd: as seen
         start it

1 broken, 0 warnings";
        assert_eq!(render(&findings, Terminal::PIPE), expected);
    }
}
