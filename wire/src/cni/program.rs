//! The frame of a plugin's `main`: read, dispatch, print.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Command, Environment, Error, Success, Version, check_network, code};

/// One call of a plugin: what the runtime passed, checked for what every plugin needs.
pub struct Call {
    /// The environment.
    pub environment: Environment,
    /// Standard input as it came: what a delegated plugin is given.
    pub stdin: Vec<u8>,
    /// `cniVersion`: the version to answer in. A missing one means 0.1.0, which is refused.
    pub version: Version,
    /// `name`: the network, valid by the spec's alphabet (as a container id).
    pub network: String,
    /// The whole configuration, an object.
    pub config: Value,
}

impl Call {
    /// Checks what every plugin needs of its configuration: an object (code 6), a version that we
    /// speak and in which the command exists (code 1), the name of a network (code 7).
    pub fn new(environment: Environment, stdin: Vec<u8>) -> Result<Self, Error> {
        let config = decode(&stdin)?;
        Self::with_config(environment, stdin, config)
    }

    fn with_config(environment: Environment, stdin: Vec<u8>, config: Value) -> Result<Self, Error> {
        let version = version_of(&config)?;
        check_command(environment.command, version)?;
        Ok(Self {
            network: network_of(&config)?,
            environment,
            stdin,
            version,
            config,
        })
    }

    /// The result of the plugin before this one, or of ADD; `None` where the runtime gave none.
    pub fn prev_result(&self) -> Result<Option<Success>, Error> {
        match self.config.get("prevResult") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Success::parse(value, self.version)
                .map(Some)
                .map_err(|error| error.within("prevResult")),
        }
    }
}

/// A CNI plugin. Verbs that it does not implement answer with code 4.
pub trait Program {
    /// ADD.
    fn add(&self, call: &Call) -> Result<Success, Error>;

    /// DEL.
    fn del(&self, call: &Call) -> Result<(), Error>;

    /// CHECK.
    fn check(&self, _call: &Call) -> Result<(), Error> {
        Err(unsupported(Command::Check).advise("set \"disableCheck\": true in the conflist"))
    }

    /// GC.
    fn gc(&self, _call: &Call) -> Result<(), Error> {
        Err(unsupported(Command::Gc).advise("set \"disableGC\": true in the conflist"))
    }

    /// STATUS.
    fn status(&self, _call: &Call) -> Result<(), Error> {
        Err(unsupported(Command::Status).advise("use cniVersion 1.0.0 in the conflist"))
    }
}

fn unsupported(command: Command) -> Error {
    let msg = format!("CNI_COMMAND {command} is not supported by this plugin");
    Error::new(code::INVALID_ENVIRONMENT, msg)
}

/// Serves one call: environment and standard input in, result or error JSON on standard output,
/// exit status 0 or 1. VERSION is answered here.
///
/// `about` says to a person what the program is, its version, and where its documentation is. It
/// goes to standard output for `--help` and `--version`, and to standard error, beside the error,
/// where there is no `CNI_COMMAND`.
pub fn run(about: &str, program: &dyn Program) -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let stdin = io::stdin();
    let input = Input {
        is_terminal: stdin.is_terminal(),
        reader: stdin.lock(),
    };
    let outcome = serve(about, program, &arguments, |name| env::var_os(name), input);
    outcome.emit()
}

/// Where the configuration comes from.
struct Input<R> {
    reader: R,
    /// A person types it: do not wait for what is not needed.
    is_terminal: bool,
}

/// What a call leaves behind.
#[derive(Debug, Default)]
struct Outcome {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    failed: bool,
}

impl Outcome {
    fn json(value: &Value, failed: bool) -> Self {
        Self {
            stdout: format!("{value}\n").into_bytes(),
            stderr: Vec::new(),
            failed,
        }
    }

    /// Each stream in one write, so that nobody reads half an answer.
    fn emit(self) -> ExitCode {
        // Standard error is for people: that nobody listens there changes no result.
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
    mut input: Input<impl Read>,
) -> Outcome {
    let has_command = get("CNI_COMMAND").is_some_and(|command| !command.is_empty());
    if !has_command && asks_for_help(arguments) {
        return Outcome {
            stdout: introduction(about),
            ..Outcome::default()
        };
    }
    let environment = Environment::read(get);
    let needs_input = matches!(&environment, Ok(env) if env.command != Command::Version);
    let mut stdin = Vec::new();
    let read = if needs_input || (has_command && !input.is_terminal) {
        input.reader.read_to_end(&mut stdin)
    } else {
        Ok(0)
    };
    let config = match read {
        Ok(_) => decode(&stdin),
        Err(error) => Err(unreadable(&error)),
    };
    let known = config
        .as_ref()
        .ok()
        .and_then(|config| version_of(config).ok());
    let version = known.unwrap_or(Version::LATEST);
    let answer = environment.and_then(|env| answer(program, env, stdin, config, version));
    let mut outcome = match answer {
        Ok(Some(json)) => Outcome::json(&json, false),
        Ok(None) => Outcome::default(),
        Err(error) => Outcome::json(&error.render(version), true),
    };
    if !has_command {
        outcome.stderr = introduction(about);
    }
    outcome
}

fn answer(
    program: &dyn Program,
    environment: Environment,
    stdin: Vec<u8>,
    config: Result<Value, Error>,
    version: Version,
) -> Result<Option<Value>, Error> {
    let command = environment.command;
    if command == Command::Version {
        return Ok(Some(json!({
            "cniVersion": version.as_str(),
            "supportedVersions": Version::ALL.map(Version::as_str),
        })));
    }
    let call = Call::with_config(environment, stdin, config?)?;
    match command {
        Command::Add => {
            let success = program.add(&call)?;
            return Ok(Some(success.render(call.version)));
        }
        Command::Del => program.del(&call)?,
        Command::Check => program.check(&call)?,
        Command::Gc => program.gc(&call)?,
        Command::Status => program.status(&call)?,
        Command::Version => {}
    }
    Ok(None)
}

fn asks_for_help(arguments: &[OsString]) -> bool {
    let is_question = |argument: &OsString| {
        matches!(
            argument.to_str(),
            Some("--help" | "-h" | "--version" | "-V")
        )
    };
    arguments.iter().any(is_question)
}

fn introduction(about: &str) -> Vec<u8> {
    let versions = Version::ALL.map(Version::as_str).join(", ");
    format!("{}\nCNI versions: {versions}\n", about.trim_end()).into_bytes()
}

fn unreadable(error: &io::Error) -> Error {
    let msg = format!("cannot read the network configuration from standard input: {error}");
    Error::new(code::IO, msg)
}

fn decode(stdin: &[u8]) -> Result<Value, Error> {
    let undecodable = |why: String| {
        let msg = format!("the network configuration on standard input {why}");
        Error::new(code::DECODING, msg)
    };
    match serde_json::from_slice(stdin) {
        Ok(config @ Value::Object(_)) => Ok(config),
        Ok(_) => Err(undecodable("is not a JSON object".into())),
        Err(_) if stdin.trim_ascii().is_empty() => Err(undecodable("is empty".into())),
        Err(error) => Err(undecodable(format!("is not JSON: {error}"))),
    }
}

/// `cniVersion`. Where it is missing the spec's library assumes 0.1.0, which we do not speak.
pub(crate) fn version_of(config: &Value) -> Result<Version, Error> {
    let incompatible = |msg: String| {
        let versions = Version::ALL.map(Version::as_str).join(", ");
        Error::new(code::INCOMPATIBLE_VERSION, msg)
            .advise(format!("set it to one of {versions} in the conflist"))
    };
    match config.get("cniVersion") {
        None => Err(incompatible(
            "cniVersion is missing, which means 0.1.0".into(),
        )),
        Some(Value::String(text)) => text
            .parse()
            .map_err(|_| incompatible(format!("cniVersion {text:?} is not supported"))),
        Some(other) => {
            let msg = format!("cniVersion {other} is not a string");
            Err(Error::new(code::DECODING, msg))
        }
    }
}

/// `name`, checked.
pub(crate) fn network_of(config: &Value) -> Result<String, Error> {
    match config.get("name") {
        None => {
            let msg = "the network configuration has no \"name\"";
            Err(Error::new(code::INVALID_CONFIG, msg))
        }
        Some(Value::String(name)) => check_network(name).map(|()| name.clone()),
        Some(other) => {
            let msg = format!("network name {other} is not a string");
            Err(Error::new(code::DECODING, msg))
        }
    }
}

fn check_command(command: Command, version: Version) -> Result<(), Error> {
    let since = match command {
        Command::Check => Version::V0_4_0,
        Command::Gc | Command::Status => Version::V1_1_0,
        Command::Add | Command::Del | Command::Version => return Ok(()),
    };
    if version >= since {
        return Ok(());
    }
    let msg = format!("cniVersion {version} has no CNI_COMMAND {command}: it came with {since}");
    Err(Error::new(code::INCOMPATIBLE_VERSION, msg))
}
