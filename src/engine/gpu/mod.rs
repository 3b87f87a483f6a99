//! One GPU through wgpu: buffers, pipelines, launches, read-back, faults.

mod adapters;
mod faults;
mod shader;
mod stream;
mod timing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};

pub use adapters::{DeviceInfo, DeviceKind, Selector};
pub(crate) use shader::{Access, Shader, expand, shader};

use super::profile::Profile;
use super::sabotage::Sabotage;
use super::{EngineOptions, wrong_engine};
use crate::error::{Error, Result};
use faults::{Faults, guarded};
use stream::{Command, Recorded, Stream};
use timing::Timing;

/// Workgroups per dimension that every device allows.
const MAX_WORKGROUPS: u32 = 65_535;
/// How long a device that refused something may take to tell that it is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes converted and handed to the driver at a time when writing.
const WRITE_CHUNK: usize = 1 << 24;

/// Every device that the drivers offer, best first.
pub(super) fn devices() -> Vec<DeviceInfo> {
    adapters::adapters().into_iter().map(|(_, info)| info).collect()
}

/// A kernel launch.
pub(crate) struct Launch<'a> {
    pub shader: &'static Shader,
    /// Constants of the variant: one of `shader.variants`, or like them.
    pub constants: &'a [(&'static str, u32)],
    /// The buffers, in the order of the shader's bindings.
    pub bindings: &'a [Binding<'a>],
    /// The `var<immediate>` block.
    pub immediates: &'a [u8],
    /// How many workgroups; folded into two dimensions where one is too long.
    pub workgroups: u64,
    /// Predicted work, in evaluations of one exponential.
    pub work: f64,
}

/// A buffer that knows which device it lives on: another device would refuse it late and obscurely.
pub(crate) struct Buffer {
    raw: wgpu::Buffer,
    device: u64,
    label: &'static str,
}

/// A buffer, or a window of one.
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub buffer: &'a Buffer,
    /// First byte; a multiple of [`Gpu::binding_alignment`].
    pub offset: u64,
    /// Bytes; `None`: to the end.
    pub bytes: Option<u64>,
}

impl<'a> From<&'a Buffer> for Binding<'a> {
    fn from(buffer: &'a Buffer) -> Self {
        Self { buffer, offset: 0, bytes: None }
    }
}

/// Numbers on their way to the host.
pub struct ReadBack {
    staging: wgpu::Buffer,
    device: u64,
    len: usize,
    mapped: mpsc::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    index: wgpu::SubmissionIndex,
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

type PipelineKey = (&'static str, Vec<(&'static str, u32)>);

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

    pub(super) fn buffer(&self, label: &'static str, bytes: u64) -> Result<Buffer> {
        if bytes > self.limits.max_buffer_size {
            return Err(Error::Limit {
                what: label.to_owned(),
                needed: bytes,
                available: self.limits.max_buffer_size,
                remedy: "a buffer of this device holds no more; use a geometry that does not \
                         store its cost (points or a grid), or --device cpu"
                    .to_owned(),
            });
        }
        let raw = self.guarded(label, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                // A binding must not be empty, and sizes are multiples of four.
                size: bytes.max(16).next_multiple_of(4),
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Buffer { raw, device: self.id, label })
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

    /// Refuses a buffer of another device.
    fn own<'a>(&self, buffer: &'a Buffer) -> Result<&'a wgpu::Buffer> {
        if buffer.device == self.id { Ok(&buffer.raw) } else { Err(wrong_engine(buffer.label)) }
    }

    pub(super) fn write_bytes(
        &self,
        buffer: &Buffer,
        bytes: &[u8],
        profile: &Profile,
    ) -> Result<()> {
        let buffer = self.own(buffer)?;
        self.operate();
        // Writes go ahead of everything submitted later, so what was recorded goes first.
        self.submit(profile);
        for (chunk, part) in bytes.chunks(WRITE_CHUNK).enumerate() {
            self.queue.write_buffer(buffer, (chunk * WRITE_CHUNK) as u64, part);
            if chunk > 0 {
                // Lets the driver free its staging memory before the next part.
                self.queue.submit([]);
            }
        }
        self.check("a write")
    }

    pub(super) fn write_f32(
        &self,
        buffer: &Buffer,
        values: &[f64],
        profile: &Profile,
    ) -> Result<()> {
        let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        self.write_bytes(buffer, bytemuck::cast_slice(&narrow), profile)
    }

    pub(super) fn copy(
        &self,
        source: &Buffer,
        target: &Buffer,
        bytes: u64,
        profile: &Profile,
    ) -> Result<()> {
        let (source, target) = (self.own(source)?, self.own(target)?);
        if bytes == 0 {
            return Ok(());
        }
        self.operate();
        let command = Command::Copy { source: source.clone(), target: target.clone(), bytes };
        if self.stream().push(command, bytes as f64 / 64.0) {
            self.submit(profile);
        }
        Ok(())
    }

    pub(super) fn launch(&self, launch: &Launch<'_>, profile: &Profile) -> Result<()> {
        if launch.workgroups == 0 {
            return Ok(());
        }
        self.operate();
        let workgroups =
            fold(launch.workgroups, self.max_workgroups).ok_or_else(|| Error::Limit {
                what: format!("workgroups of {}", launch.shader.name),
                needed: launch.workgroups,
                available: u64::from(self.max_workgroups) * u64::from(MAX_WORKGROUPS),
                remedy: "make the problem smaller, or use --device cpu".to_owned(),
            })?;
        let pipeline = self.pipeline(launch.shader, launch.constants)?;
        debug_assert_eq!(launch.bindings.len(), launch.shader.bindings.len());
        debug_assert_eq!(launch.immediates.len(), launch.shader.immediate_bytes as usize);
        let entries: Vec<_> = launch
            .bindings
            .iter()
            .enumerate()
            .map(|(binding, window)| {
                Ok(wgpu::BindGroupEntry {
                    binding: binding as u32,
                    resource: wgpu::BindingResource::Buffer(self.window(window)?),
                })
            })
            .collect::<Result<_>>()?;
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.shader.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let recorded = Recorded {
            kernel: launch.shader.name,
            pipeline,
            bind_group,
            immediates: launch.immediates.to_vec(),
            workgroups,
        };
        if self.stream().push(Command::Dispatch(recorded), launch.work) {
            self.submit(profile);
            self.check(launch.shader.name)?;
        }
        Ok(())
    }

    /// The part of a buffer that a kernel sees. Matrices come in windows that fit; whatever else
    /// is larger than a binding is refused here, with a reason.
    fn window<'a>(&self, binding: &Binding<'a>) -> Result<wgpu::BufferBinding<'a>> {
        let buffer = self.own(binding.buffer)?;
        let bytes = binding.bytes.unwrap_or(buffer.size() - binding.offset);
        if bytes > self.max_binding_bytes {
            return Err(Error::Limit {
                what: format!("array `{}`", binding.buffer.label),
                needed: bytes,
                available: self.max_binding_bytes,
                remedy: "a kernel of this device sees no more at once; make the problem smaller, \
                         or use --device cpu"
                    .to_owned(),
            });
        }
        let size = binding.bytes.and_then(std::num::NonZeroU64::new);
        Ok(wgpu::BufferBinding { buffer, offset: binding.offset, size })
    }

    fn pipeline(
        &self,
        shader: &'static Shader,
        constants: &[(&'static str, u32)],
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        let key = (shader.name, constants.to_vec());
        let mut pipelines = self.pipelines.lock().expect("no panic while compiling");
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline =
            self.guarded(shader.name, || self.compile(shader, constants)).map(Arc::new)?;
        // Some drivers refuse a pipeline by losing the device, without an error.
        self.check(shader.name)?;
        pipelines.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    #[expect(unsafe_code, reason = "run-time checks cost up to 1.4 times; see the SAFETY note")]
    fn compile(
        &self,
        shader: &'static Shader,
        constants: &[(&'static str, u32)],
    ) -> wgpu::ComputePipeline {
        let checks = if self.checked {
            wgpu::ShaderRuntimeChecks::checked()
        } else {
            wgpu::ShaderRuntimeChecks::unchecked()
        };
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(expand(shader.source, constants).into()),
        };
        // SAFETY: the shaders are our own; the launches check every size that indices depend on,
        // and the tests run the same shaders with the checks on.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        let entries: Vec<_> = shader
            .bindings
            .iter()
            .enumerate()
            .map(|(binding, access)| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let bind_group_layout =
            self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(shader.name),
                entries: &entries,
            });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(shader.name),
            bind_group_layouts: &[Some(&bind_group_layout)],
            immediate_size: shader.immediate_bytes,
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: self.checked,
                ..Default::default()
            },
            cache: None,
        })
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

    pub(super) fn read_back(
        &self,
        buffer: &Buffer,
        len: usize,
        profile: &Profile,
    ) -> Result<ReadBack> {
        let buffer = self.own(buffer)?;
        if self.sabotage.allocation() {
            return Err(Error::OutOfMemory { what: "a read-back".to_owned() });
        }
        self.operate();
        let bytes = (len as u64 * 4).max(16);
        let staging = self.guarded("a read-back", || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read-back"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.submit(profile);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
        let index = self.queue.submit([encoder.finish()]);
        let (sender, mapped) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone if the read-back was given up.
            let _ = sender.send(result);
        });
        self.check("a read-back")?;
        Ok(ReadBack { staging, device: self.id, len, mapped, index })
    }

    pub(super) fn finish(&self, read: ReadBack) -> Result<Vec<f64>> {
        if read.device != self.id {
            // Waiting for another device's submission would never end.
            return Err(wrong_engine("read-back"));
        }
        self.operate();
        let waited = self
            .device
            .poll(wgpu::PollType::Wait { submission_index: Some(read.index), timeout: None });
        self.check("a read-back")?;
        let failed = |reason: String| {
            self.unless_lost(Error::Device { what: "a read-back".to_owned(), reason })
        };
        waited.map_err(|error| failed(error.to_string()))?;
        read.mapped
            .recv()
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        let view = read.staging.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
        let numbers: &[f32] = bytemuck::cast_slice(&view);
        let values = numbers[..read.len].iter().map(|&value| f64::from(value)).collect();
        Ok(values)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Leaves no work behind that still uses the buffers.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }
}

/// Encodes commands into as few passes as possible.
fn encode(encoder: &mut wgpu::CommandEncoder, commands: &[Command]) {
    let mut position = 0;
    while position < commands.len() {
        match &commands[position] {
            Command::Copy { source, target, bytes } => {
                encoder.copy_buffer_to_buffer(source, 0, target, 0, *bytes);
                position += 1;
            }
            Command::Dispatch(_) => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                while let Some(Command::Dispatch(recorded)) = commands.get(position) {
                    recorded.encode(&mut pass);
                    position += 1;
                }
            }
        }
    }
}

impl Recorded {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        if !self.immediates.is_empty() {
            pass.set_immediates(0, &self.immediates);
        }
        pass.dispatch_workgroups(self.workgroups[0], self.workgroups[1], 1);
    }
}

/// Folds a count of workgroups into two dimensions, the first of them at most so long; shaders undo
/// it with `flat_workgroup`. `None` where there are too many.
fn fold(workgroups: u64, most: u32) -> Option<[u32; 2]> {
    let rows = workgroups.div_ceil(u64::from(most));
    let columns = workgroups.div_ceil(rows);
    (rows <= u64::from(MAX_WORKGROUPS)).then_some([columns as u32, rows as u32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_covers_every_workgroup() {
        for most in [3, MAX_WORKGROUPS] {
            let all = u64::from(most) * u64::from(MAX_WORKGROUPS);
            for workgroups in [1, 2, 65_535, 65_536, 131_071, all - 1, all] {
                let [x, y] = fold(workgroups, most).unwrap();
                assert!(u64::from(x) * u64::from(y) >= workgroups);
                assert!(x <= most && y <= MAX_WORKGROUPS);
            }
            assert_eq!(fold(all + 1, most), None);
        }
    }
}
