//! Log lines for ignored records of the registry: each record once, and many of them in few
//! lines.

use crate::log::{LineKind, LogLine};

/// The number of records that are logged one by one, until no record is ignored any more.
pub(crate) const MAX_LOGGED: usize = 16;

/// The factor by which the number of ignored records has to grow before it is logged again.
const REPEAT_FACTOR: usize = 10;

/// The key of a record, and why the record is ignored.
pub(crate) type Ignored = (String, String);

/// What was logged already.
#[derive(Debug, Default)]
pub(crate) struct IgnoredRecords {
    logged: usize,
    /// The number of ignored records from which the next summary is logged.
    summary_at: usize,
}

impl IgnoredRecords {
    /// The lines about `new_records`, of which [`MAX_LOGGED`] + 1 are enough; `total` records are
    /// ignored now.
    pub(crate) fn log_lines(&mut self, new_records: &[Ignored], total: usize) -> Vec<LogLine> {
        if total == 0 {
            *self = Self::default();
        }
        if self.logged + new_records.len() <= MAX_LOGGED {
            self.logged += new_records.len();
            let each = |(key, reason): &Ignored| {
                let text = format!("ignored {key} in the registry: {reason}");
                LogLine::new(LineKind::Ignored, text)
                    .with("key", key)
                    .with("error", reason)
            };
            return new_records.iter().map(each).collect();
        }
        self.logged = MAX_LOGGED;
        match new_records.first() {
            Some((key, reason)) if total >= self.summary_at => {
                self.summary_at = total * REPEAT_FACTOR;
                let text = format!(
                    "{total} records in the registry are ignored, among them {key}: {reason}; \
                     the next line follows when there are ten times as many"
                );
                vec![LogLine::new(LineKind::Ignored, text)]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
