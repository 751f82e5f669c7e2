//! A running plugin: its input, output and exit status.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Output};
use std::thread;

use crate::cni::{CniVersion, Error, Success, code};

/// What a new pipe takes without a reader under any pipe limits of the user: one page.
pub(super) const PIPE_CAPACITY: usize = 4096;

/// How much of a plugin's invalid output an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// A running plugin. Call [`RunningDelegate::finish`] or [`RunningDelegate::result`] to wait for
/// it.
#[derive(Debug)]
#[must_use]
pub struct RunningDelegate<'a> {
    name: &'a str,
    state: DelegateState<'a>,
}

#[derive(Debug)]
enum DelegateState<'a> {
    Running(Child, DelegateInput<'a>),
    /// It was called within this process.
    Ended(Exit),
}

/// How a plugin exited.
#[derive(Debug)]
pub(super) enum Exit {
    /// What it printed to standard output.
    Printed(Vec<u8>),
    /// What it returned within this process: ADD has a result.
    Linked(Option<Success>),
    /// Its CNI error.
    Failure(Error),
}

/// The input of a running plugin.
#[derive(Debug)]
enum DelegateInput<'a> {
    /// It was written to the pipe, or failed to.
    Written(io::Result<()>),
    /// It is longer than a pipe takes without a reader.
    Waiting(Option<ChildStdin>, &'a [u8]),
}

impl<'a> RunningDelegate<'a> {
    /// A plugin that has just been started, and its input.
    pub(super) fn new(name: &'a str, mut child: Child, stdin: &'a [u8]) -> Self {
        let pipe = child.stdin.take();
        let input = if stdin.len() <= PIPE_CAPACITY {
            DelegateInput::Written(write(pipe, stdin))
        } else {
            DelegateInput::Waiting(pipe, stdin)
        };
        let state = DelegateState::Running(child, input);
        Self { name, state }
    }

    /// A plugin that was called within this process.
    pub(super) fn ended(name: &'a str, outcome: Result<Option<Success>, Error>) -> Self {
        let exit = outcome.map_or_else(Exit::Failure, Exit::Linked);
        let state = DelegateState::Ended(exit);
        Self { name, state }
    }

    /// Whether it is known already that it failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.state, DelegateState::Ended(Exit::Failure(_)))
    }

    /// Waits for its exit. Its error is passed on with the plugin's name in the message; death by
    /// signal is code 5, output that is not JSON code 6.
    pub fn finish(self) -> Result<(), Error> {
        self.printed().map(drop)
    }

    /// As [`RunningDelegate::finish`], with its standard output.
    pub(super) fn printed(self) -> Result<Vec<u8>, Error> {
        let name = self.name;
        match self.wait()? {
            Exit::Printed(printed) => Ok(printed),
            Exit::Linked(_) => Ok(Vec::new()),
            Exit::Failure(error) => Err(error.within(name)),
        }
    }

    /// Waits for its exit and parses the result of ADD, which has `version`.
    pub fn result(self, version: CniVersion) -> Result<Success, Error> {
        let name = self.name;
        let printed = match self.wait()? {
            Exit::Printed(printed) => printed,
            Exit::Linked(result) => return Ok(result.unwrap_or_default()),
            Exit::Failure(error) => return Err(error.within(name)),
        };
        let json = serde_json::from_slice(&printed).map_err(|_| {
            let msg = format!("{name} did not print a result: {}", excerpt(&printed));
            Error::new(code::DECODING, msg)
        })?;
        Success::parse(&json, version).map_err(|error| error.within(name))
    }

    /// Waits for its exit. Code 5 if it was killed or contact was lost, 6 if it failed without a
    /// CNI error on its standard output.
    pub(super) fn wait(self) -> Result<Exit, Error> {
        let name = self.name;
        let (child, input) = match self.state {
            DelegateState::Running(child, input) => (child, input),
            DelegateState::Ended(exit) => return Ok(exit),
        };
        let output = communicate(child, input)
            .map_err(|error| Error::new(code::IO, format!("{name}: lost contact: {error}")))?;
        if output.status.success() {
            return Ok(Exit::Printed(output.stdout));
        }
        if let Some(signal) = output.status.signal() {
            let msg = format!("{name} was killed by signal {signal}");
            return Err(Error::new(code::IO, msg));
        }
        if let Ok(error) = serde_json::from_slice(&output.stdout) {
            return Ok(Exit::Failure(error));
        }
        let status = output.status.code().unwrap_or_default();
        let printed = excerpt(&output.stdout);
        let msg = format!("{name} failed with exit status {status} and no error: {printed}");
        Err(Error::new(code::DECODING, msg))
    }
}

/// Reads the output of the child and waits for its exit. Long input is written by a thread: a child
/// that prints before it reads would otherwise block both of us.
fn communicate(child: Child, input: DelegateInput<'_>) -> io::Result<Output> {
    let (pipe, stdin) = match input {
        DelegateInput::Written(written) => {
            // Checked after the wait, so that no child is left unreaped.
            let output = child.wait_with_output()?;
            return written.map(|()| output);
        }
        DelegateInput::Waiting(pipe, stdin) => (pipe, stdin),
    };
    thread::scope(|scope| {
        let writer = thread::Builder::new().spawn_scoped(scope, || write(pipe, stdin))?;
        let output = child.wait_with_output()?;
        let written = writer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map(|()| output)
    })
}

/// Writes the input. It is no error if the child does not read it.
fn write(pipe: Option<ChildStdin>, stdin: &[u8]) -> io::Result<()> {
    match pipe.map(|mut pipe| pipe.write_all(stdin)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The start of the output, for one line of a message.
fn excerpt(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    if text.trim().is_empty() {
        return "it printed nothing".to_owned();
    }
    let start: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    let rest = if start.len() < text.len() { "..." } else { "" };
    format!("it printed {start:?}{rest}")
}
