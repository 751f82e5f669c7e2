//! A place that packets come from or go to (a machine or a pod), and the probes that run there.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::command::CommandOutput;
use crate::error::Doing;
use crate::probe::{LISTENING, ProbeAnswer, TransferDirection};
use crate::{DEADLINE, Error, Machine, Pod, Process, Result, wait_until};

/// The probe program, as installed on nodes and on machines outside of the cluster.
const LAB: &str = "/opt/flatland/lab";

/// A machine, or a network namespace on it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    machine: &'a Machine,
    netns: Option<&'a Path>,
}

impl<'a> From<&'a Machine> for Place<'a> {
    fn from(machine: &'a Machine) -> Self {
        Self {
            machine,
            netns: None,
        }
    }
}

impl<'a> From<&'a Pod<'a>> for Place<'a> {
    fn from(pod: &'a Pod<'a>) -> Self {
        Self::within(pod.machine(), pod.netns())
    }
}

impl<'a> Place<'a> {
    /// The network namespace at a path of the machine.
    pub fn within(machine: &'a Machine, netns: &'a Path) -> Self {
        Self {
            machine,
            netns: Some(netns),
        }
    }

    /// Starts a server on a TCP and UDP port. Dropping it ends it.
    pub fn serve(&self, port: u16) -> Result<Process> {
        self.listen("serve", port)
    }

    /// Starts a server for transfers on a TCP port. Dropping it ends it.
    pub fn serve_transfers(&self, port: u16) -> Result<Process> {
        self.listen("serve-transfers", port)
    }

    /// The source addresses that the servers at `targets` see, one for each target. An error if a
    /// server does not answer, or sees different addresses by TCP and by UDP.
    pub fn seen_by(&self, targets: &[IpAddr], port: u16) -> Result<Vec<IpAddr>> {
        let answers = self.query(targets, port)?.into_iter();
        answers
            .map(|answer| match (&answer.tcp, &answer.udp) {
                (Ok(tcp), Ok(udp)) if tcp == udp => Ok(*tcp),
                _ => Err(Error::new(format!(
                    "query of port {port} from {self:?}: {answer:?}"
                ))),
            })
            .collect()
    }

    /// Queries the servers at `targets` on a port.
    pub fn query(&self, targets: &[IpAddr], port: u16) -> Result<Vec<ProbeAnswer>> {
        let mut words = vec![LAB.into(), "query".into(), format!("--port={port}")];
        words.extend(targets.iter().map(ToString::to_string));
        let text = self.run(&words)?.success()?;
        serde_json::from_str(&text).doing(format!("answers: {text}"))
    }

    /// The time of a transfer of `bytes` to or from a server for transfers.
    pub fn transfer(
        &self,
        to: IpAddr,
        port: u16,
        direction: TransferDirection,
        bytes: u64,
    ) -> Result<Duration> {
        let words = [
            LAB.to_owned(),
            "transfer".to_owned(),
            format!("--port={port}"),
            format!("--direction={direction}"),
            format!("--bytes={bytes}"),
            to.to_string(),
        ];
        let text = self.run(&words)?.success()?;
        let micros = text.trim().parse().doing(format!("microseconds: {text}"))?;
        Ok(Duration::from_micros(micros))
    }

    fn run(&self, words: &[String]) -> Result<CommandOutput> {
        match self.netns {
            Some(netns) => self.machine.run_in(netns, words),
            None => self.machine.run_with(words, b""),
        }
    }

    fn listen(&self, command: &str, port: u16) -> Result<Process> {
        let number = self.netns.map_or("machine".into(), Path::to_string_lossy);
        let log = format!("{command}-{}-{port}", number.replace('/', "-"));
        let words = [LAB, command, &format!("--port={port}")];
        let server = self.machine.spawn(&log, self.netns, &words)?;
        wait_until(format!("server on port {port}"), DEADLINE, || {
            server.log().contains(LISTENING)
        })
        .map_err(|error| error.doing(server.log()))?;
        Ok(server)
    }
}
