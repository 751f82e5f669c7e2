//! The log of a daemon (`--log-format`, `RUST_LOG`).

use std::fmt;
use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FormatFields, MakeWriter};

/// The names of the fields. The text format leaves them out: the sentence has their values.
pub const FIELDS: [&str; 12] = [
    "address", "count", "error", "key", "kind", "link", "node", "path", "peer", "pod", "route",
    "subnet",
];

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Writes the log of this process to standard error from now on: what `RUST_LOG` selects, by default
/// everything above `debug`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = subscriber(format, filter, io::stderr);
    tracing::subscriber::set_global_default(subscriber).ok();
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

/// The text format of a line's fields: without [`FIELDS`], whose values are in the sentence.
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
        if !FIELDS.contains(&field.name()) {
            self.0.record_debug(field, value);
        }
    }
}

#[cfg(test)]
mod tests;
