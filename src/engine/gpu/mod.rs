//! One GPU through wgpu: what is open, what was recorded, what went wrong.

mod adapters;
mod buffers;
mod faults;
mod launch;
mod shader;
mod stream;
mod timing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use adapters::{DeviceInfo, DeviceKind, Selector};
pub(crate) use buffers::Buffer;
pub use buffers::ReadBack;
pub(crate) use launch::{Binding, Launch};
pub(crate) use shader::{Access, Shader, expand, shader};

use super::EngineOptions;
use super::profile::Profile;
use super::sabotage::Sabotage;
use crate::error::{Error, Result};
use faults::{Faults, guarded};
use launch::{PipelineKey, encode};
use stream::Stream;
use timing::Timing;

/// Workgroups per dimension that every device allows.
const MAX_WORKGROUPS: u32 = 65_535;
/// How long a device that refused something may take to tell that it is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Every device that the drivers offer, best first.
pub(super) fn devices() -> Vec<DeviceInfo> {
    adapters::adapters().into_iter().map(|(_, info)| info).collect()
}

pub(crate) struct Gpu {
    /// Tells this device from any other that the process has open.
    id: u64,
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: DeviceInfo,
    limits: wgpu::Limits,
    max_binding_bytes: u64,
    max_workgroups: u32,
    checked: bool,
    faults: Faults,
    pipelines: Mutex<HashMap<PipelineKey, Arc<wgpu::ComputePipeline>>>,
    stream: Mutex<Stream>,
    timing: Option<Timing>,
    sabotage: Arc<Sabotage>,
}

impl Gpu {
    pub(super) fn open(
        selector: &Selector,
        options: &EngineOptions,
        sabotage: Arc<Sabotage>,
    ) -> Result<Self> {
        let (adapter, info) = adapters::select(selector)?;
        let limits = adapter.limits();
        let mut features = adapters::REQUIRED_FEATURES;
        if options.profile {
            features |= adapter.features() & wgpu::Features::TIMESTAMP_QUERY;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gaspard"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| Error::Device { what: info.to_string(), reason: error.to_string() })?;
        let faults = Faults::watch(&device);
        let timing = features
            .contains(wgpu::Features::TIMESTAMP_QUERY)
            .then(|| Timing::new(&device, queue.get_timestamp_period()));
        // Shaders count in 32 bits, whatever the device allows.
        let allowed = limits.max_storage_buffer_binding_size.min(4 * u64::from(u32::MAX));
        static OPENED: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: OPENED.fetch_add(1, Ordering::Relaxed),
            device,
            queue,
            info,
            max_binding_bytes: options.max_binding_bytes.map_or(allowed, |most| most.min(allowed)),
            max_workgroups: options
                .max_workgroups
                .unwrap_or(MAX_WORKGROUPS)
                .clamp(1, MAX_WORKGROUPS),
            limits,
            checked: options.checked || cfg!(debug_assertions),
            faults,
            pipelines: Mutex::default(),
            stream: Mutex::new(Stream::new()),
            timing,
            sabotage,
        })
    }

    /// Where a test wants the device lost, it is lost ahead of an operation.
    fn operate(&self) {
        if self.sabotage.operation() {
            self.device.destroy();
        }
    }

    pub(crate) fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The most bytes that one binding may span.
    pub(crate) fn max_binding_bytes(&self) -> u64 {
        self.max_binding_bytes
    }

    /// Offsets of bindings are multiples of this many bytes.
    pub(crate) fn binding_alignment(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment)
    }

    /// The most work that one launch should carry, so that it ends in a fraction of a second.
    pub(crate) fn work_per_launch(&self) -> f64 {
        self.stream().work_per_launch()
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().expect("no panic while holding the stream")
    }

    /// The first fault since the last check, if any.
    fn check(&self, what: &str) -> Result<()> {
        self.faults.check(what).map_err(|fault| self.unless_lost(fault))
    }

    /// Runs `create`, with its faults.
    fn guarded<T>(&self, what: &str, create: impl FnOnce() -> T) -> Result<T> {
        guarded(&self.device, what, create).map_err(|fault| self.unless_lost(fault))
    }

    /// A lost device refuses whatever it is asked for, before it tells of the loss.
    fn unless_lost(&self, fault: Error) -> Error {
        let _ = self
            .device
            .poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        self.faults.loss().unwrap_or(fault)
    }

    /// Submits what was recorded. Faults show up in the next check.
    fn submit(&self, profile: &Profile) {
        let mut stream = self.stream();
        let (commands, work) = stream.take();
        if commands.is_empty() {
            return;
        }
        let mut encoder = self.device.create_command_encoder(&Default::default());
        match (&self.timing, profile.enabled()) {
            (Some(timing), true) => {
                let start = Instant::now();
                timing.encode(&self.device, &self.queue, encoder, &commands, profile);
                stream.learn(work, start.elapsed());
                return;
            }
            _ => encode(&mut encoder, &commands),
        }
        let index = self.queue.submit([encoder.finish()]);
        stream.submitted(&self.device, &self.queue, index, work);
    }

    pub(super) fn wait(&self, profile: &Profile) -> Result<()> {
        self.operate();
        self.submit(profile);
        self.stream().drain(&self.device);
        // Writes are not in the stream.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check("a submission")
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Leaves no work behind that still uses the buffers.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }
}
