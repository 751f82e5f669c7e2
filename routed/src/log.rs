//! What people read in the log: one line per thing that changed, one line for many.

use std::collections::BTreeMap;

use tracing::{error, info, warn};

/// As many lines of a kind are written out; of more there is one that sums them up.
const MOST_LINES: usize = 16;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LineKind {
    /// A route came.
    Added,
    /// A route led elsewhere and now leads where it should.
    Moved,
    /// A route that somebody took away or changed is as it was.
    Restored,
    /// A route went with its claim.
    Withdrawn,
    /// A route that nobody claims went.
    Pruned,
    /// A claim gets no route.
    Refused,
    /// A record of the registry is ignored.
    Ignored,
    /// The kernel, or somebody else's route, is in the way.
    Failed,
    /// A node's presence went.
    Absent,
    /// It is back.
    Returned,
}

impl LineKind {
    /// Its name for machines.
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

    fn many(self) -> &'static str {
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

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    kind: LineKind,
    text: String,
}

impl Line {
    /// A line of that kind.
    pub(crate) fn new(kind: LineKind, text: String) -> Self {
        Self { kind, text }
    }

    /// What it is about.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> LineKind {
        self.kind
    }
}

/// Lines to be told together. Where there are many of a kind, most of them are only counted.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<LineKind, LimitedLines>);

/// How many there are of a kind, and the first of them.
#[derive(Debug, Default)]
struct LimitedLines {
    count: usize,
    texts: Vec<String>,
}

impl Lines {
    /// One more, of that kind; it is put into `words` only if somebody may read it.
    pub(crate) fn add(&mut self, kind: LineKind, words: impl FnOnce() -> String) {
        let few = self.0.entry(kind).or_default();
        few.count += 1;
        if few.texts.len() < MOST_LINES {
            few.texts.push(words());
        }
    }

    /// Writes them, kind by kind.
    pub(crate) fn emit(&self) {
        for (kind, few) in &self.0 {
            for text in few.summarised(*kind) {
                match kind {
                    LineKind::Failed => error!("{text}"),
                    LineKind::Refused
                    | LineKind::Ignored
                    | LineKind::Restored
                    | LineKind::Absent => {
                        warn!("{text}");
                    }
                    _ => info!("{text}"),
                }
            }
        }
    }
}

impl Extend<Line> for Lines {
    fn extend<I: IntoIterator<Item = Line>>(&mut self, lines: I) {
        for Line { kind, text } in lines {
            self.add(kind, || text);
        }
    }
}

impl LimitedLines {
    fn summarised(&self, kind: LineKind) -> Vec<String> {
        match self.texts.first() {
            Some(first) if self.count > MOST_LINES => {
                let (count, many) = (self.count, kind.many());
                vec![format!("{count} {many}; the first: {first}")]
            }
            _ => self.texts.clone(),
        }
    }
}

/// A state of affairs that is told of when it comes or changes, not every time it is met.
#[derive(Debug, Default)]
pub(crate) struct OnChange(Option<String>);

impl OnChange {
    /// Whether `text` differs from what was said last.
    pub(crate) fn changed(&mut self, text: &str) -> bool {
        let is_news = self.0.as_deref() != Some(text);
        if is_news {
            self.0 = Some(text.to_owned());
        }
        is_news
    }

    /// What was said last, if it is not over.
    pub(crate) fn current(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// It is over. Returns whether there was anything.
    pub(crate) fn clear(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Writes the lines, in order within each kind.
pub(crate) fn emit_lines(lines: Vec<Line>) {
    let mut all = Lines::default();
    all.extend(lines);
    all.emit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &Lines, kind: LineKind) -> Vec<String> {
        let few = lines.0.get(&kind);
        few.map(|few| few.summarised(kind)).unwrap_or_default()
    }

    #[test]
    fn up_to_sixteen_lines_of_a_kind_are_written_out() {
        let mut lines = Lines::default();
        for number in 0..16 {
            lines.add(LineKind::Added, || number.to_string());
        }
        assert_eq!(shown(&lines, LineKind::Added).len(), 16);
        assert!(shown(&lines, LineKind::Withdrawn).is_empty());
    }

    #[test]
    fn more_are_summed_up_in_one_line_and_not_even_put_into_words() {
        let (mut lines, mut worded) = (Lines::default(), 0);
        for number in 0..5_000 {
            lines.add(LineKind::Added, || {
                worded += 1;
                format!("r{number}")
            });
        }
        lines.extend([Line::new(LineKind::Failed, "f".to_owned())]);
        assert_eq!(
            shown(&lines, LineKind::Added),
            ["5000 routes added; the first: r0"]
        );
        assert_eq!(shown(&lines, LineKind::Failed), ["f"]);
        assert_eq!(worded, MOST_LINES);
    }
}
