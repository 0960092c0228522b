//! Counts in ranges, written by many threads, read at a scrape.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A histogram with fixed upper bounds. The sum is kept in millionths.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper bounds, without the infinite one.
    pub bounds: Vec<f64>,
    /// Cumulative count for each bound.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: f64,
    /// Of all values.
    pub count: u64,
}

impl Histogram {
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// `value` must not be negative.
    pub fn observe(&self, value: f64) {
        let slot = self.bounds.partition_point(|&bound| bound < value);
        self.counts[slot].fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Relaxed);
    }

    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut total = 0;
        let mut counts: Vec<u64> = self
            .counts
            .iter()
            .map(|count| {
                total += count.load(Relaxed);
                total
            })
            .collect();
        counts.pop();
        HistogramSnapshot {
            bounds: self.bounds.to_vec(),
            counts,
            sum: self.sum.load(Relaxed) as f64 / 1e6,
            count: total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cumulative_and_bounds_inclusive() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 9.0].into_iter().for_each(|value| histogram.observe(value));
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.counts, snapshot.count), (vec![2, 3], 4));
        assert!((snapshot.sum - 12.0).abs() < 1e-6);
    }
}
