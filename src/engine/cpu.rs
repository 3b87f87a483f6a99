//! What the CPU engine needs to know of its machine.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes that can be allocated without swapping, as the operating system estimates.
pub(super) fn available_memory() -> u64 {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    match System::new_with_specifics(memory).available_memory() {
        0 => u64::MAX, // the system does not say
        bytes => bytes,
    }
}

pub(super) fn description() -> String {
    format!("CPU (f64, {} threads)", rayon::current_num_threads())
}
