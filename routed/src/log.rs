//! Log lines with fields: one line per change, and one summary where there are many of a kind.
//!
//! Every line is a complete sentence. Its fields repeat the values in it (`peer`, `subnet` ...) for
//! `--log-format json`; docs/logs.md lists them.

use std::collections::BTreeMap;
use std::fmt::Display;

use daemonkit::log::FIELDS;
use tracing::{error, info, warn};

/// Above this many lines of a kind, one line with their number replaces them.
const MAX_LINES_PER_KIND: usize = 16;

/// What a line reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LineKind {
    /// A route was added.
    Added,
    /// A route led elsewhere and was replaced.
    Moved,
    /// A route that another program removed or changed was put back.
    Restored,
    /// A route was removed together with its claim.
    Withdrawn,
    /// A route without a claim was removed.
    Pruned,
    /// A claim gets no route.
    Refused,
    /// A record of the registry is ignored.
    Ignored,
    /// The kernel refused a route, or another program's route conflicts with it.
    Failed,
    /// The presence of a node disappeared.
    Absent,
    /// The presence of a node is back.
    Returned,
}

impl LineKind {
    /// The value of the field `kind` and of the metric label `change`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Moved => "moved",
            Self::Restored => "repaired",
            Self::Withdrawn => "withdrawn",
            Self::Pruned => "pruned",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Absent => "absent",
            Self::Returned => "returned",
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Added => "routes added",
            Self::Moved => "routes moved",
            Self::Restored => "routes put back",
            Self::Withdrawn => "routes withdrawn",
            Self::Pruned => "stale routes withdrawn",
            Self::Refused => "peers whose claims get no route",
            Self::Ignored => "records in the registry ignored",
            Self::Failed => "routes could not be brought into the kernel",
            Self::Absent => "nodes are absent",
            Self::Returned => "nodes are present again",
        }
    }
}

/// One line of the log: a sentence, and its values as fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    kind: LineKind,
    text: String,
    /// The values of the fields, by name.
    fields: BTreeMap<&'static str, String>,
    /// How many lines it replaces.
    count: Option<usize>,
}

impl LogLine {
    /// A line without fields.
    pub(crate) fn new(kind: LineKind, text: String) -> Self {
        Self {
            kind,
            text,
            fields: BTreeMap::new(),
            count: None,
        }
    }

    /// What the line reports.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> LineKind {
        self.kind
    }

    /// With this value of a field: `node`, `peer`, `subnet` (one, or several with commas), `route` (the
    /// next hop and the link, as `ip route` shows them), `pod` (its address), `key` (in the registry),
    /// or `error`.
    pub(crate) fn with(mut self, field: &'static str, value: impl Display) -> Self {
        debug_assert!(FIELDS.contains(&field));
        self.fields.insert(field, value.to_string());
        self
    }

    fn emit(&self) {
        let field = |name| self.fields.get(name).map(String::as_str);
        macro_rules! event {
            ($level:ident) => {
                $level!(
                    kind = self.kind.name(),
                    node = field("node"),
                    peer = field("peer"),
                    subnet = field("subnet"),
                    route = field("route"),
                    pod = field("pod"),
                    key = field("key"),
                    error = field("error"),
                    count = self.count,
                    "{}",
                    self.text
                )
            };
        }
        match self.kind {
            LineKind::Failed => event!(error),
            LineKind::Refused | LineKind::Ignored | LineKind::Restored | LineKind::Absent => {
                event!(warn);
            }
            _ => event!(info),
        }
    }
}

/// Lines to be written together, grouped by kind.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<LineKind, LinesOfKind>);

/// The number of lines of a kind, and the first of them.
#[derive(Debug, Default)]
struct LinesOfKind {
    count: usize,
    first: Vec<LogLine>,
}

impl Lines {
    /// Adds a line of that kind. `line` is called only if the line may be written.
    pub(crate) fn add(&mut self, kind: LineKind, line: impl FnOnce() -> LogLine) {
        let of_kind = self.0.entry(kind).or_default();
        of_kind.count += 1;
        if of_kind.first.len() < MAX_LINES_PER_KIND {
            of_kind.first.push(line());
        }
    }

    /// Writes the lines, kind by kind.
    pub(crate) fn emit(&self) {
        for (kind, of_kind) in &self.0 {
            for line in of_kind.summarised(*kind) {
                line.emit();
            }
        }
    }
}

impl Extend<LogLine> for Lines {
    fn extend<I: IntoIterator<Item = LogLine>>(&mut self, lines: I) {
        for line in lines {
            self.add(line.kind, || line);
        }
    }
}

impl LinesOfKind {
    fn summarised(&self, kind: LineKind) -> Vec<LogLine> {
        match self.first.first() {
            Some(first) if self.count > MAX_LINES_PER_KIND => {
                let (count, summary) = (self.count, kind.summary());
                let text = format!("{count} {summary}; the first: {}", first.text);
                let mut line = LogLine::new(kind, text);
                line.count = Some(count);
                vec![line]
            }
            _ => self.first.clone(),
        }
    }
}

/// Writes the lines, in order within each kind.
pub(crate) fn emit_lines(lines: Vec<LogLine>) {
    let mut all = Lines::default();
    all.extend(lines);
    all.emit();
}

#[cfg(test)]
mod tests;
