//! Faults on purpose, for tests of what happens then.

use std::sync::atomic::{AtomicU64, Ordering};

/// A fault that an engine is made to have, once, after so many more of what it befalls went well.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An allocation of an array, a table or a read-back finds no memory.
    OutOfMemory {
        /// Allocations before it.
        after: u64,
    },
    /// The device is destroyed ahead of a write, copy, launch or read-back, or of the wait for one.
    DeviceLost {
        /// Such operations before it.
        after: u64,
    },
}

/// Counts down to a fault; far too many to count where there is none.
pub(super) struct Sabotage {
    allocations: AtomicU64,
    operations: AtomicU64,
}

impl Default for Sabotage {
    fn default() -> Self {
        Self { allocations: AtomicU64::new(u64::MAX), operations: AtomicU64::new(u64::MAX) }
    }
}

impl Sabotage {
    pub(super) fn plan(&self, fault: Fault) {
        match fault {
            Fault::OutOfMemory { after } => self.allocations.store(after, Ordering::Relaxed),
            Fault::DeviceLost { after } => self.operations.store(after, Ordering::Relaxed),
        }
    }

    /// True for the allocation that is to fail.
    pub(super) fn allocation(&self) -> bool {
        self.allocations.fetch_sub(1, Ordering::Relaxed) == 0
    }

    /// True for the operation that is to find the device gone.
    pub(super) fn operation(&self) -> bool {
        self.operations.fetch_sub(1, Ordering::Relaxed) == 0
    }
}
