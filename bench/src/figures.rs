//! What was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A figure measured many times, in nanoseconds, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Samples(Vec<u64>);

/// What a table shows of [`Samples`], in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Samples {
    /// The share of all samples that are not above the returned one, in percent.
    pub(crate) fn percentile(&self, percent: usize) -> u64 {
        let last = self.0.len().saturating_sub(1);
        // The smallest sample that `percent` of all do not exceed (nearest rank).
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank.min(last)).copied().unwrap_or_default()
    }

    /// The middle one.
    pub(crate) fn median(&self) -> u64 {
        self.percentile(50)
    }

    /// Its spread.
    pub(crate) fn spread(&self) -> Spread {
        Spread {
            min: self.percentile(0),
            median: self.median(),
            p99: self.percentile(99),
            max: self.percentile(100),
        }
    }

    /// All, ascending.
    pub(crate) fn sorted(&self) -> &[u64] {
        &self.0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<u64> for Samples {
    fn from_iter<I: IntoIterator<Item = u64>>(samples: I) -> Self {
        let mut samples: Vec<u64> = samples.into_iter().collect();
        samples.sort_unstable();
        Self(samples)
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(samples: I) -> Self {
        samples.into_iter().map(nanoseconds).collect()
    }
}

/// A duration in nanoseconds; more than 584 years count as so many.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The number as one that can be divided: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// `a / b`, or nothing where there is no such ratio.
pub(crate) fn ratio(a: u64, b: u64) -> Option<f64> {
    (b != 0).then(|| float(a) / float(b))
}

/// How many a second, if `count` took `nanoseconds`.
pub(crate) fn per_second(count: usize, nanoseconds: u64) -> f64 {
    float(count as u64) * 1e9 / float(nanoseconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_off_the_sorted_samples() {
        let samples: Samples = (1..=200).rev().map(Duration::from_nanos).collect();

        let expected = Spread {
            min: 1,
            median: 100,
            p99: 198,
            max: 200,
        };
        assert_eq!(samples.spread(), expected);
    }

    #[test]
    fn few_samples_have_percentiles_too() {
        let one: Samples = [7].into_iter().collect();
        let none = Samples::default();

        assert_eq!((one.percentile(0), one.percentile(99)), (7, 7));
        assert_eq!(none.percentile(50), 0);
    }

    #[test]
    fn there_is_no_ratio_to_nothing() {
        assert_eq!(ratio(3, 2), Some(1.5));
        assert_eq!(ratio(3, 0), None);
    }
}
