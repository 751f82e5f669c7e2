//! The command line.

#[cfg(test)]
mod reference;
mod status_text;

use clap::{Args, Parser, Subcommand, ValueEnum};
use daemonkit::FLATLAND_POLICY;
use daemonkit::http::client;
use daemonkit::{log, termination};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::clock::unix_seconds;
use wire::policy_query::{ExplainedPort, PolicyAnswer, explain_page};

use crate::config::{Config, PolicyRunArgs};
use crate::daemon::event_loop;
use crate::error::{Error, USAGE};
use crate::status::EnforcementStatus;

/// Exit status `EX_UNAVAILABLE` (sysexits.h): the daemon does not run.
const NOT_RUNNING: u8 = 69;

/// What follows the list of commands.
const AFTER_HELP: &str = "\
Exit status: 0 all is well, 1 it is not, or something failed, 64 the command line or the conflist has
to be changed, 69 flatland-policy does not run.";

/// Keeps the network policies of a node's pods in the packet filter.
#[derive(Debug, Parser)]
#[command(
    name = "flatland-policy",
    version = wire::VERSION,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Watches the policies and keeps their rules, until SIGTERM or SIGINT.
    ///
    /// It follows pods, namespaces and policies of the API server, and keeps the rules of this node's
    /// pods in the nftables table inet flatland-policy. When it stops, the table stays: running pods
    /// keep their rules, and new ones are closed until it runs again.
    ///
    /// Exit status: 0 after a signal, 64 for a wrong command line or conflist, 1 for any other
    /// failure.
    #[command(after_help = "\
Example:
  flatland-policy run --conflist /etc/flatland/10-flatland.conflist")]
    Run(PolicyRunArgs),
    /// Shows whether the rules are those of the policies, and what needs attention.
    ///
    /// Asks the daemon. With --ready it is the daemon's /readyz in one line, for probes.
    ///
    /// Exit status: 0 if nothing needs attention (with --ready: if the rules are those of the
    /// policies), 1 if something does, or if the daemon does not answer, 69 if it does not run, 64 for
    /// a wrong command line.
    #[command(after_help = "\
Examples:
  flatland-policy status
  flatland-policy status --ready
  flatland-policy status -o json | jq -r .troubles[]")]
    Status(PolicyStatusArgs),
    /// Prints the rules of this node's pods, as a person would write them.
    ///
    /// Asks the daemon. nft list table inet flatland-policy shows what the kernel has.
    ///
    /// Exit status: 0, 1 if the daemon does not answer, 69 if it does not run, 64 for a wrong command
    /// line.
    #[command(after_help = "\
Example:
  flatland-policy rules")]
    Rules,
    /// Says which policies allow or deny a connection between two pods of the cluster.
    ///
    /// Asks the daemon, which knows all pods of the cluster. routed explain --port says the same, and
    /// follows the packet's path as well.
    ///
    /// Exit status: 0 if it is allowed, 1 if it is denied, or if the daemon does not answer, 69 if it
    /// does not run, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  flatland-policy explain default/web-0 shop/db-0 --port 5432/tcp
  flatland-policy explain 10.244.2.7 10.244.1.4 --port 53/udp -o json")]
    Explain(PolicyExplainArgs),
}

/// The flags of `flatland-policy status`.
#[derive(Debug, Args)]
pub(crate) struct PolicyStatusArgs {
    /// Only whether the rules are those of the policies, and if not, why: for probes.
    #[arg(long, conflicts_with = "output")]
    ready: bool,

    #[command(flatten)]
    output: PrintArgs,
}

/// The flags of `flatland-policy explain`.
#[derive(Debug, Args)]
pub(crate) struct PolicyExplainArgs {
    /// The pod that begins the connection, as NAMESPACE/NAME or by its address.
    source: String,

    /// The pod that is to answer, as NAMESPACE/NAME or by its address.
    destination: String,

    /// The destination port and its protocol.
    #[arg(long, value_name = "PORT/PROTOCOL", default_value = "80/tcp")]
    port: ExplainedPort,

    #[command(flatten)]
    output: PrintArgs,
}

/// How a command prints what it found.
#[derive(Debug, Args)]
struct PrintArgs {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// For people.
    Text,
    /// For machines: one JSON object.
    Json,
}

/// What a command prints, and its exit status.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) text: String,
    pub(crate) status: u8,
    /// Whether it goes to standard error.
    pub(crate) is_error: bool,
}

impl CommandOutput {
    fn new(text: String, status: u8) -> Self {
        let is_error = false;
        Self {
            text,
            status,
            is_error,
        }
    }

    fn failed(text: String, status: u8) -> Self {
        Self {
            is_error: true,
            ..Self::new(text, status)
        }
    }
}

impl From<client::Error> for CommandOutput {
    fn from(error: client::Error) -> Self {
        let status = match error {
            client::Error::NotRunning(_) => NOT_RUNNING,
            _ => 1,
        };
        Self::failed(error.to_string(), status)
    }
}

impl PolicyCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> CommandOutput {
        let outcome = match self {
            Self::Run(args) => Ok(run(args)),
            Self::Status(args) if args.ready => readiness(),
            Self::Status(args) => status(&args),
            Self::Rules => query::<String>("/rules")
                .map(|text| CommandOutput::new(text.trim_end().to_owned(), 0)),
            Self::Explain(args) => explain(&args),
        };
        outcome.unwrap_or_else(CommandOutput::from)
    }
}

/// Runs the daemon. An error is already in the log when this returns.
fn run(args: PolicyRunArgs) -> CommandOutput {
    log::start(args.log_format);
    match serve(args) {
        Ok(()) => CommandOutput::new(String::new(), 0),
        Err(error) => {
            tracing::error!(%error, "{error}");
            termination::write(&error.to_string());
            CommandOutput::failed(String::new(), error.exit_status())
        }
    }
}

fn serve(args: PolicyRunArgs) -> Result<(), Error> {
    let config = Config::read(args)?;
    runtime()?.block_on(event_loop::run(config))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn query<T: DeserializeOwned>(path: &str) -> Result<T, client::Error> {
    let runtime = runtime().map_err(|error| client::Error::failed(FLATLAND_POLICY, error))?;
    runtime.block_on(client::get(FLATLAND_POLICY, path))
}

/// One line, as kubelet shows it in an event.
fn readiness() -> Result<CommandOutput, client::Error> {
    let runtime = runtime().map_err(|error| client::Error::failed(FLATLAND_POLICY, error))?;
    match runtime.block_on(client::readiness(FLATLAND_POLICY)) {
        Ok(()) => Ok(CommandOutput::new(
            "the rules are those of the policies".to_owned(),
            0,
        )),
        Err(client::Error::Refused(missing)) => {
            let missing: Vec<_> = missing.lines().collect();
            Ok(CommandOutput::new(
                format!("not ready: {}", missing.join("; ")),
                1,
            ))
        }
        Err(error) => Err(error),
    }
}

fn status(args: &PolicyStatusArgs) -> Result<CommandOutput, client::Error> {
    let status: EnforcementStatus = query("/status")?;
    let text = args
        .output
        .text(&status, || status_text::render(&status, unix_seconds()));
    Ok(CommandOutput::new(
        text,
        u8::from(!status.troubles.is_empty()),
    ))
}

fn explain(args: &PolicyExplainArgs) -> Result<CommandOutput, client::Error> {
    let page = match explain_page(&args.source, &args.destination, args.port) {
        Ok(page) => page,
        Err(why) => return Ok(CommandOutput::failed(why, USAGE)),
    };
    let answer: PolicyAnswer = query(&page)?;
    let verdict = if answer.is_allowed {
        "allowed"
    } else {
        "denied"
    };
    let text = args.output.text(&answer, || {
        format!("{}\n{verdict}", answer.lines.join("\n"))
    });
    Ok(CommandOutput::new(text, u8::from(!answer.is_allowed)))
}

impl PrintArgs {
    fn text(&self, value: &impl Serialize, render: impl FnOnce() -> String) -> String {
        match self.output {
            OutputFormat::Text => render(),
            OutputFormat::Json => serde_json::to_string_pretty(value).unwrap_or_default(),
        }
    }
}
