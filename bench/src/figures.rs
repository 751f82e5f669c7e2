//! Samples and their statistics.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Samples of one measurement, in nanoseconds, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Samples(Vec<u64>);

/// The statistics of [`Samples`] that tables show, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Samples {
    /// The smallest sample that is not exceeded by `percent` of all.
    pub(crate) fn percentile(&self, percent: usize) -> u64 {
        let last = self.0.len().saturating_sub(1);
        // Nearest rank.
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank.min(last)).copied().unwrap_or_default()
    }

    /// The median.
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

    /// All samples, ascending.
    pub(crate) fn sorted(&self) -> &[u64] {
        &self.0
    }

    /// The number of samples.
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

/// A duration in nanoseconds; at most 584 years.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The number as `f64`: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// `a / b`; `None` if `b` is 0.
pub(crate) fn ratio(a: u64, b: u64) -> Option<f64> {
    (b != 0).then(|| float(a) / float(b))
}

/// The rate in 1/s of `count` operations that took `nanoseconds`.
pub(crate) fn per_second(count: usize, nanoseconds: u64) -> f64 {
    float(count as u64) * 1e9 / float(nanoseconds.max(1))
}

#[cfg(test)]
mod tests;
