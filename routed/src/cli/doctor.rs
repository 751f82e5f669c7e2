//! `routed doctor`: can this host be a node, and if not, why? The checks are in `crate::doctor`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::{CliOutput, CommandError, NetworkArgs, OutputArgs, block_on, severity_word};
use crate::cli::terminal::Terminal;
use crate::doctor::{CheckContext, Finding, Severity, run_all};

/// The flags of `routed doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    network: NetworkArgs,

    /// A prefix that the cluster's services get their addresses from; several with commas.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    service_cidr: Vec<IpNet>,

    /// The address by which peers reach this node, as for routed run; several with commas.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    node_address: Vec<IpAddr>,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct DoctorOutput<'a> {
    broken: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Runs all checks on this host.
pub(crate) fn run(args: &DoctorArgs) -> Result<CliOutput, CommandError> {
    let conflist = match args.network.find() {
        Ok(found) => Ok(found),
        // Only the default may be missing.
        Err(error) if args.network.is_named() => return Err(error),
        Err(error) => Err(error.text),
    };
    let conflist = conflist
        .as_ref()
        .map(|(path, conflist)| (path.as_path(), conflist))
        .map_err(Clone::clone);
    let services = args.service_cidr.iter().map(IpNet::trunc).collect();
    let context = CheckContext::read(conflist, services, &args.node_address, &args.cni_bin);
    let findings = block_on(async { Ok(run_all(&context).await) })?;
    let [broken, warnings] = counts(&findings);
    let output = DoctorOutput {
        broken,
        warnings,
        findings: &findings,
    };
    let text = args
        .output
        .text(&output, |terminal| render(&findings, terminal))?;
    let status = u8::from(broken > 0);
    Ok(CliOutput { text, status })
}

/// How many findings are broken, and how many are warnings.
fn counts(findings: &[Finding]) -> [usize; 2] {
    [Severity::Broken, Severity::Warning]
        .map(|severity| findings.iter().filter(|it| it.severity == severity).count())
}

fn render(findings: &[Finding], terminal: Terminal) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let word = severity_word(finding.severity, terminal);
        let (check, evidence) = (finding.check, &finding.evidence);
        lines.push(format!("{word}  {check}: {evidence}"));
        lines.extend(finding.fix.as_ref().map(|fix| format!("{:9}{fix}", "")));
    }
    let [broken, warnings] = counts(findings);
    lines.push(format!("\n{broken} broken, {warnings} warnings"));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
