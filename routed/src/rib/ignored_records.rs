//! Records of the registry that count for nothing, in the log: each once, and many in few lines.

use crate::log::{Line, LineKind};

/// As many are named one by one, until there are none any more.
pub(crate) const MAX_LOGGED: usize = 16;

/// How much longer a flood has to be before it is told of again.
const REPEAT_FACTOR: usize = 10;

/// A record's key, and why it is ignored.
pub(crate) type Ignored = (String, String);

/// What was told of ignored records.
#[derive(Debug, Default)]
pub(crate) struct IgnoredRecords {
    logged: usize,
    /// Once so many are ignored, they are told of again.
    summary_at: usize,
}

impl IgnoredRecords {
    /// The lines about `news`, of which there may be more than [`MAX_LOGGED`]; `total` are ignored
    /// now.
    pub(crate) fn log_lines(&mut self, news: &[Ignored], total: usize) -> Vec<Line> {
        if total == 0 {
            *self = Self::default();
        }
        if self.logged + news.len() <= MAX_LOGGED {
            self.logged += news.len();
            let each = |(key, why): &Ignored| {
                let text = format!("ignored {key} in the registry: {why}");
                Line::new(LineKind::Ignored, text).key(key).error(why)
            };
            return news.iter().map(each).collect();
        }
        self.logged = MAX_LOGGED;
        match news.first() {
            Some((key, why)) if total >= self.summary_at => {
                self.summary_at = total * REPEAT_FACTOR;
                let text = format!(
                    "{total} records in the registry are ignored, among them {key}: {why}; \
                     further ones are told of when there are ten times as many"
                );
                vec![Line::new(LineKind::Ignored, text)]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(count: usize) -> Vec<Ignored> {
        let one = |n| (format!("x{n}"), "this version knows no such key".to_owned());
        (0..count).map(one).collect()
    }

    #[test]
    fn a_few_are_named_one_by_one() {
        let mut flood = IgnoredRecords::default();
        assert_eq!(flood.log_lines(&news(3), 3).len(), 3);
        assert_eq!(flood.log_lines(&news(13), 16).len(), 13);
        assert!(flood.log_lines(&[], 16).is_empty());
    }

    #[test]
    fn many_at_once_are_one_line() {
        let lines = IgnoredRecords::default().log_lines(&news(17), 100_000);
        assert_eq!(lines.len(), 1);
        assert!(format!("{lines:?}").contains("100000 records in the registry are ignored"));
    }

    #[test]
    fn many_one_after_the_other_are_few_lines() {
        let mut flood = IgnoredRecords::default();
        let lines = (1..=100_000).map(|total| flood.log_lines(&news(1), total).len());
        assert_eq!(
            lines.sum::<usize>(),
            MAX_LOGGED + 4,
            "and at 17, 170, 1700, 17000"
        );
    }

    #[test]
    fn once_there_are_none_they_are_named_again() {
        let mut flood = IgnoredRecords::default();
        flood.log_lines(&news(17), 100);
        assert!(flood.log_lines(&news(1), 101).is_empty());
        flood.log_lines(&[], 0);
        assert_eq!(flood.log_lines(&news(1), 1).len(), 1);
    }
}
