//! The ledger of bytes: refuses an allocation before it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Counts the bytes that an engine's arrays hold, against a limit.
pub(super) struct Ledger {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

/// Bytes taken from a ledger, given back on drop.
pub(super) struct Reservation {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Ledger {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0), peak: AtomicU64::new(0) })
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self, what: &str, bytes: u64, remedy: &str) -> Result<()> {
        let available = self.limit.saturating_sub(self.used());
        if bytes <= available {
            return Ok(());
        }
        Err(limit_error(what, bytes, available, remedy))
    }

    pub(super) fn reserve(self: &Arc<Self>, what: &str, bytes: u64) -> Result<Reservation> {
        // Looked up and taken in one step: two threads must not take the same last bytes.
        let fits = |used: u64| used.checked_add(bytes).filter(|&total| total <= self.limit);
        let before =
            self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|used| {
                let remedy = "make the problem smaller, or use a device with more memory";
                limit_error(what, bytes, self.limit.saturating_sub(used), remedy)
            })?;
        self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        Ok(Reservation { ledger: Arc::clone(self), bytes })
    }
}

fn limit_error(what: &str, needed: u64, available: u64, remedy: &str) -> Error {
    Error::Limit { what: what.to_owned(), needed, available, remedy: remedy.to_owned() }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ledger.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_are_given_back_and_the_limit_holds() {
        let ledger = Ledger::new(100);
        let first = ledger.reserve("a", 60).unwrap();
        assert!(matches!(
            ledger.reserve("b", 50),
            Err(Error::Limit { needed: 50, available: 40, .. })
        ));
        drop(first);
        let _second = ledger.reserve("b", 100).unwrap();
        assert_eq!((ledger.used(), ledger.peak()), (100, 100));
    }
}
