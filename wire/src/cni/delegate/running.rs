//! A plugin that runs, and what passes between it and us.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Output};
use std::thread;

use crate::cni::{Error, Success, Version, code};

/// What a new pipe takes without a reader, whatever the user's pipe limits are: one page.
pub(super) const PIPE_CAPACITY: usize = 4096;

/// How much of a plugin's unreadable output an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// A plugin that runs. It has to be waited for: [`Running::finish`].
#[derive(Debug)]
#[must_use]
pub struct Running<'a> {
    name: &'a str,
    child: Child,
    input: DelegateInput<'a>,
}

/// How a plugin ended that was not killed.
#[derive(Debug)]
pub(super) enum Exit {
    /// What it printed to standard output.
    Success(Vec<u8>),
    /// The CNI error that it printed.
    Failure(Error),
}

/// What a running plugin is to read.
#[derive(Debug)]
enum DelegateInput<'a> {
    /// It is in the pipe, or could not be put there.
    Written(io::Result<()>),
    /// More than a pipe takes without a reader.
    Waiting(Option<ChildStdin>, &'a [u8]),
}

impl<'a> Running<'a> {
    /// A plugin of this name that has just been started, and what it is to read.
    pub(super) fn new(name: &'a str, mut child: Child, stdin: &'a [u8]) -> Self {
        let pipe = child.stdin.take();
        let input = if stdin.len() <= PIPE_CAPACITY {
            DelegateInput::Written(write(pipe, stdin))
        } else {
            DelegateInput::Waiting(pipe, stdin)
        };
        Self { name, child, input }
    }

    /// Waits for its end. Its error is passed on with the plugin's name in the message; death by
    /// signal, and output that is not JSON, are code 5 and 6. Returns what it printed.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let name = self.name;
        match self.wait()? {
            Exit::Success(printed) => Ok(printed),
            Exit::Failure(error) => Err(error.within(name)),
        }
    }

    /// Waits for its end and parses the result of ADD, which is of `version`.
    pub fn result(self, version: Version) -> Result<Success, Error> {
        let name = self.name;
        let printed = self.finish()?;
        let json = serde_json::from_slice(&printed).map_err(|_| {
            let msg = format!("{name} did not print a result: {}", excerpt(&printed));
            Error::new(code::DECODING, msg)
        })?;
        Success::parse(&json, version).map_err(|error| error.within(name))
    }

    /// Waits for its end. Code 5 if it was killed or contact was lost, 6 if it failed without a CNI
    /// error on its standard output.
    pub(super) fn wait(self) -> Result<Exit, Error> {
        let name = self.name;
        let output = communicate(self.child, self.input)
            .map_err(|error| Error::new(code::IO, format!("{name}: lost contact: {error}")))?;
        if output.status.success() {
            return Ok(Exit::Success(output.stdout));
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

/// Reads all that the child prints, and waits for its end. A child that prints before it reads
/// would block us both where the pipe could not take all of its input at once, so then a thread
/// writes.
fn communicate(child: Child, input: DelegateInput<'_>) -> io::Result<Output> {
    let (pipe, stdin) = match input {
        DelegateInput::Written(written) => {
            // Errors are looked at after the wait: no child is left unreaped.
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

/// A child that does not care to read is none of our business.
fn write(pipe: Option<ChildStdin>, stdin: &[u8]) -> io::Result<()> {
    match pipe.map(|mut pipe| pipe.write_all(stdin)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The start of what a plugin printed, fit for one line of a message.
fn excerpt(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    if text.trim().is_empty() {
        return "it printed nothing".to_owned();
    }
    let start: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    let rest = if start.len() < text.len() { "..." } else { "" };
    format!("it printed {start:?}{rest}")
}
