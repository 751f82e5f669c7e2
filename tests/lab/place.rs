//! Where packets start and end, and what is seen from there.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::command::Output;
use crate::error::Doing;
use crate::probe::{Answer, Direction, LISTENING};
use crate::{DEADLINE, Daemon, Error, Machine, Pod, Result, wait_until};

/// The probes' program, as installed on nodes and strangers.
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

    /// Lets it answer on a TCP and UDP port, until the server is dropped.
    pub fn serve(&self, port: u16) -> Result<Daemon> {
        self.listen("serve", port)
    }

    /// Lets it take part in transfers over a TCP port, until the server is dropped.
    pub fn serve_transfers(&self, port: u16) -> Result<Daemon> {
        self.listen("serve-transfers", port)
    }

    /// The addresses that those who answer at `targets` see this place come from, by TCP and by
    /// UDP, one for each target. An error if somebody does not answer or sees two.
    pub fn seen_by(&self, targets: &[IpAddr], port: u16) -> Result<Vec<IpAddr>> {
        let answers = self.ask(targets, port)?.into_iter();
        answers
            .map(|answer| match (&answer.tcp, &answer.udp) {
                (Ok(tcp), Ok(udp)) if tcp == udp => Ok(*tcp),
                _ => Err(Error::new(format!("{self:?} asks port {port}: {answer:?}"))),
            })
            .collect()
    }

    /// What the targets answer on a port.
    pub fn ask(&self, targets: &[IpAddr], port: u16) -> Result<Vec<Answer>> {
        let mut words = vec![LAB.into(), "ask".into(), format!("--port={port}")];
        words.extend(targets.iter().map(ToString::to_string));
        let text = self.run(&words)?.success()?;
        serde_json::from_str(&text).doing(format!("answers: {text}"))
    }

    /// How long it takes to transfer `bytes` to or from a place that serves transfers.
    pub fn transfer(
        &self,
        to: IpAddr,
        port: u16,
        direction: Direction,
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

    fn run(&self, words: &[String]) -> Result<Output> {
        match self.netns {
            Some(netns) => self.machine.run_in(netns, words),
            None => self.machine.run_with(words, b""),
        }
    }

    fn listen(&self, command: &str, port: u16) -> Result<Daemon> {
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
