//! Faults that the device reports at a time of its own choosing.

use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};

/// Keeps the first fault until the next call that can return it.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    first: Option<Fault>,
    lost: Option<String>,
}

enum Fault {
    OutOfMemory,
    Refused(String),
}

impl Faults {
    /// Routes the device's asynchronous errors here instead of into a panic.
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let faults = Self::default();
        let uncaptured = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.record(error)));
        let lost = faults.clone();
        // Dropping the device is reported as a loss too, when nobody asks any more.
        device.set_device_lost_callback(move |_, message| lost.state().lost = Some(message));
        faults
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no panic while holding the faults")
    }

    fn record(&self, error: wgpu::Error) {
        let fault = match error {
            wgpu::Error::OutOfMemory { .. } => Fault::OutOfMemory,
            wgpu::Error::Validation { description, .. }
            | wgpu::Error::Internal { description, .. } => Fault::Refused(description),
        };
        self.state().first.get_or_insert(fault);
    }

    /// The loss of the device, which is for good.
    pub(super) fn loss(&self) -> Option<Error> {
        let reason = self.state().lost.clone();
        reason.map(|reason| Error::DeviceLost { reason })
    }

    /// Returns the first fault since the last check, if any.
    pub(super) fn check(&self, what: &str) -> Result<()> {
        if let Some(loss) = self.loss() {
            return Err(loss);
        }
        match self.state().first.take() {
            None => Ok(()),
            Some(Fault::OutOfMemory) => Err(Error::OutOfMemory { what: what.to_owned() }),
            Some(Fault::Refused(reason)) => Err(Error::Device { what: what.to_owned(), reason }),
        }
    }
}

/// Runs `create` and turns what the device reports of it into an error.
pub(super) fn guarded<T>(
    device: &wgpu::Device,
    what: &str,
    create: impl FnOnce() -> T,
) -> Result<T> {
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let created = create();
    // Scopes form a stack: the last pushed is popped first.
    let errors = [
        pollster::block_on(validation.pop()),
        pollster::block_on(memory.pop()),
        pollster::block_on(internal.pop()),
    ];
    match errors.into_iter().flatten().next() {
        None => Ok(created),
        Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory { what: what.to_owned() }),
        Some(
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. },
        ) => Err(Error::Device { what: what.to_owned(), reason: description }),
    }
}
