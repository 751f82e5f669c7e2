//! The main function of a CNI plugin: reads the call, dispatches it to the verb, prints the result.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::call::{decode, version_of};
use super::{Call, CniCommand, CniVersion, Environment, Error, Success, code};

/// A CNI plugin. Verbs that it does not implement return code 4.
pub trait Program: fmt::Debug {
    /// ADD.
    fn add(&self, call: &Call) -> Result<Success, Error>;

    /// DEL.
    fn del(&self, call: &Call) -> Result<(), Error>;

    /// CHECK.
    fn check(&self, _call: &Call) -> Result<(), Error> {
        Err(self.unsupported(CniCommand::Check))
    }

    /// GC.
    fn gc(&self, _call: &Call) -> Result<(), Error> {
        Err(self.unsupported(CniCommand::Gc))
    }

    /// STATUS.
    fn status(&self, _call: &Call) -> Result<(), Error> {
        Err(self.unsupported(CniCommand::Status))
    }

    /// The program that a call is for, if it is another one of this file.
    fn meant_by(&self, _call: &Call) -> Option<&'static dyn Program> {
        None
    }

    /// The error of a verb that it does not implement.
    fn unsupported(&self, command: CniCommand) -> Error {
        let msg = format!("CNI_COMMAND {command} is not supported by this plugin");
        Error::new(code::INVALID_ENVIRONMENT, msg).advise(match command {
            CniCommand::Check => "set \"disableCheck\": true in the conflist",
            CniCommand::Gc => "set \"disableGC\": true in the conflist",
            _ => "use cniVersion 1.0.0 in the conflist",
        })
    }
}

/// Serves one call: reads the environment and standard input, prints the result or error as JSON on
/// standard output, and returns exit status 0 or 1. It handles VERSION itself.
///
/// `about` describes the program and names its documentation. It is printed with the version to
/// standard output for `--help` and `--version`, and to standard error, beside the error, if
/// `CNI_COMMAND` is missing.
pub fn run(about: &str, program: &dyn Program) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let stdin = io::stdin();
    let input = ConfigSource {
        is_terminal: stdin.is_terminal(),
        reader: stdin.lock(),
    };
    let outcome = serve(about, program, &arguments, |name| env::var_os(name), input);
    outcome.emit()
}

/// Where the configuration comes from.
struct ConfigSource<R> {
    reader: R,
    /// It is a terminal: it is read only if the input is needed.
    is_terminal: bool,
}

/// The output and status of a call.
#[derive(Debug, Default)]
struct CallOutcome {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    failed: bool,
}

impl CallOutcome {
    fn json(value: &Value, failed: bool) -> Self {
        Self {
            stdout: format!("{value}\n").into_bytes(),
            stderr: Vec::new(),
            failed,
        }
    }

    /// Writes each stream at once, so that a reader never sees half of it.
    fn emit(self) -> ExitCode {
        // A closed standard error does not change the result.
        let _ = io::stderr().write_all(&self.stderr);
        let written = io::stdout()
            .write_all(&self.stdout)
            .and_then(|()| io::stdout().flush());
        if self.failed || written.is_err() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

fn serve(
    about: &str,
    program: &dyn Program,
    arguments: &[OsString],
    get: impl Fn(&str) -> Option<OsString>,
    mut input: ConfigSource<impl Read>,
) -> CallOutcome {
    let has_command = get("CNI_COMMAND").is_some_and(|command| !command.is_empty());
    if !has_command && asks_for_help(arguments) {
        return CallOutcome {
            stdout: introduction(about),
            ..CallOutcome::default()
        };
    }
    let environment = Environment::read(get);
    let needs_config = matches!(&environment, Ok(env) if env.command != CniCommand::Version);
    let mut stdin = Vec::new();
    // Read even if the environment is invalid: the error has the version of the configuration.
    let config = if needs_config || (has_command && !input.is_terminal) {
        let read = input.reader.read_to_end(&mut stdin);
        read.map_err(|error| unreadable(&error))
            .and_then(|_| decode(&stdin))
    } else {
        decode(&[])
    };
    let known = config.as_ref().map(version_of);
    let version = known
        .ok()
        .and_then(Result::ok)
        .unwrap_or(CniVersion::LATEST);
    let reply = environment.and_then(|env| dispatch(program, env, stdin, config, version));
    let mut outcome = match reply {
        Ok(Some(json)) => CallOutcome::json(&json, false),
        Ok(None) => CallOutcome::default(),
        Err(error) => CallOutcome::json(&error.render(version), true),
    };
    if !has_command {
        outcome.stderr = introduction(about);
    }
    outcome
}

/// Calls the verb; returns the JSON for standard output, if any.
fn dispatch(
    program: &dyn Program,
    environment: Environment,
    stdin: Vec<u8>,
    config: Result<Value, Error>,
    version: CniVersion,
) -> Result<Option<Value>, Error> {
    if environment.command == CniCommand::Version {
        return Ok(Some(json!({
            "cniVersion": version.as_str(),
            "supportedVersions": CniVersion::ALL.map(CniVersion::as_str),
        })));
    }
    let call = Call::with_config(environment, stdin, config?)?;
    let result = call_verb(program, &call)?;
    Ok(result.map(|success| success.render(call.version)))
}

/// Calls the verb of a call, which is not VERSION; ADD has a result.
pub(super) fn call_verb(program: &dyn Program, call: &Call) -> Result<Option<Success>, Error> {
    let program = program.meant_by(call).unwrap_or(program);
    match call.environment.command {
        CniCommand::Add => program.add(call).map(Some),
        CniCommand::Del => program.del(call).map(|()| None),
        CniCommand::Check => program.check(call).map(|()| None),
        CniCommand::Gc => program.gc(call).map(|()| None),
        CniCommand::Status => program.status(call).map(|()| None),
        CniCommand::Version => Err(program.unsupported(CniCommand::Version)),
    }
}

fn asks_for_help(arguments: &[OsString]) -> bool {
    let is_help_flag = |argument: &OsString| {
        matches!(
            argument.to_str(),
            Some("--help" | "-h" | "--version" | "-V")
        )
    };
    arguments.iter().any(is_help_flag)
}

fn introduction(about: &str) -> Vec<u8> {
    let versions = CniVersion::ALL.map(CniVersion::as_str).join(", ");
    let (about, version) = (about.trim_end(), crate::VERSION);
    format!("{about}\nversion {version}\nCNI versions: {versions}\n").into_bytes()
}

fn unreadable(error: &io::Error) -> Error {
    let msg = format!("cannot read the network configuration from standard input: {error}");
    Error::new(code::IO, msg)
}

#[cfg(test)]
mod tests;
