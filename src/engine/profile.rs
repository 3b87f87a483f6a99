//! Kernel times by name.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The time that one kernel took, summed over its launches.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// The kernel, as its shader is named: `linear/softmin_points`.
    pub kernel: &'static str,
    /// How many times it was launched.
    pub launches: u64,
    /// Seconds in all.
    pub seconds: f64,
}

/// Collects kernel times where the user asked for them.
pub(super) struct Profile {
    times: Option<Mutex<HashMap<&'static str, (u64, Duration)>>>,
}

impl Profile {
    pub(super) fn new(enabled: bool) -> Self {
        Self { times: enabled.then(Mutex::default) }
    }

    pub(super) fn enabled(&self) -> bool {
        self.times.is_some()
    }

    pub(super) fn add(&self, kernel: &'static str, duration: Duration) {
        if let Some(times) = &self.times {
            let mut times = times.lock().expect("no panic while holding the profile");
            let entry = times.entry(kernel).or_default();
            entry.0 += 1;
            entry.1 += duration;
        }
    }

    pub(super) fn time<T>(&self, kernel: &'static str, work: impl FnOnce() -> T) -> T {
        if !self.enabled() {
            return work();
        }
        let start = Instant::now();
        let result = work();
        self.add(kernel, start.elapsed());
        result
    }

    pub(super) fn report(&self) -> Vec<KernelTime> {
        let Some(times) = &self.times else { return Vec::new() };
        let times = times.lock().expect("no panic while holding the profile");
        let mut report: Vec<_> = times
            .iter()
            .map(|(&kernel, &(launches, duration))| KernelTime {
                kernel,
                launches,
                seconds: duration.as_secs_f64(),
            })
            .collect();
        report.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(a.kernel.cmp(b.kernel)));
        report
    }
}
