//! `routed run`: starts the daemon and its log (`--log-format`, `RUST_LOG`).

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FormatFields, MakeWriter};

use super::{CliOutput, CommandError};
use crate::config::{Config, LogFormat, RunArgs};
use crate::error::Error;
use crate::{log, termination};

/// Runs the daemon until a signal ends it. An error is already in the log when this returns.
pub(crate) fn run(args: RunArgs) -> Result<CliOutput, CommandError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = subscriber(args.log_format, filter, io::stderr);
    tracing::subscriber::set_global_default(subscriber).ok();
    match serve(args) {
        Ok(()) => Ok(CliOutput::from(String::new())),
        Err(error) => {
            tracing::error!(error = %error, "{error}");
            termination::write(&error.to_string());
            Err(CommandError::new(error.exit_status(), String::new()))
        }
    }
}

fn serve(args: RunArgs) -> Result<(), Error> {
    let config = Config::read(args)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(crate::daemon::event_loop::run(config))
}

/// Writes the events that pass `filter` to `writer`.
fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => Box::new(log.fmt_fields(SentenceOnly).finish()),
        LogFormat::Json => Box::new(log.json().flatten_event(true).finish()),
    }
}

/// The text format of a line's fields: without [`log::FIELDS`], whose values are in the sentence.
/// The fields that libraries set are printed.
struct SentenceOnly;

impl<'w> FormatFields<'w> for SentenceOnly {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = SentenceVisitor(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct SentenceVisitor<'w>(DefaultVisitor<'w>);

impl Visit for SentenceVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !log::FIELDS.contains(&field.name()) {
            self.0.record_debug(field, value);
        }
    }
}

#[cfg(test)]
mod tests;
