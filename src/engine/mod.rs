//! The engine: where arrays live and kernels run.
//!
//! An [`Engine`] is either the CPU (f64, all cores) or one GPU (f32, through wgpu). It knows
//! arrays, kernels and bytes; it never hears the name of a transport problem.

mod array;
mod cpu;
pub(crate) mod gpu;
mod memory;
mod profile;
mod sabotage;

use std::sync::Arc;

pub use array::{Array, Pending, Table};
pub(crate) use gpu::{Access, Launch, Shader, shader};
pub use gpu::{DeviceInfo, DeviceKind, Selector};
pub use profile::KernelTime;
#[doc(hidden)]
pub use sabotage::Fault;

use crate::error::{Error, Result};
use memory::Ledger;
use profile::Profile;
use sabotage::Sabotage;

/// How an engine is opened; `Default` is what [`Engine::auto`], [`Engine::cpu`] and
/// [`Engine::gpu`] use.
///
/// ```
/// use gaspard::{Engine, EngineOptions};
///
/// let options = EngineOptions { profile: true, ..EngineOptions::default() };
/// let engine = Engine::cpu_with(&options);
/// assert!(!engine.is_gpu() && engine.profile()?.is_empty());
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Collect the time of every kernel (see [`Engine::profile`]); costs some speed.
    pub profile: bool,
    /// Compile shaders with bounds checks and bounded loops. Always on in builds with debug
    /// assertions.
    pub checked: bool,
    /// Refuse to hold more than this many bytes of arrays. `None`: what the device has.
    pub memory_limit: Option<u64>,
    /// Pretend that a binding spans at most this many bytes, where the device allows more: to test
    /// on small matrices how large ones are walked in panels. Nothing on the CPU.
    pub max_binding_bytes: Option<u64>,
    /// Pretend that the first dimension of a launch has at most so many workgroups, where the
    /// device allows more: to test on small problems how large launches are folded into two
    /// dimensions. Nothing on the CPU.
    pub max_workgroups: Option<u32>,
}

/// A place where arrays live and kernels run: the CPU in f64, or one GPU in f32.
///
/// Cloning is cheap; clones share the device.
///
/// ```
/// use gaspard::Engine;
/// let engine = Engine::cpu();
/// let array = engine.upload("ramp", &[1.0, 2.0, 3.0])?;
/// assert_eq!(engine.download(&array)?, [1.0, 2.0, 3.0]);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    backend: Backend,
    ledger: Arc<Ledger>,
    profile: Profile,
    sabotage: Arc<Sabotage>,
    /// The bound on memory that was asked for.
    memory_limit: Option<u64>,
}

/// The two kinds of engine, for kernel launches to match on.
pub(crate) enum Backend {
    Cpu,
    Gpu(Box<gpu::Gpu>),
}

impl Engine {
    /// The CPU engine: f64, parallel over the threads of rayon's global pool.
    pub fn cpu() -> Self {
        Self::cpu_with(&EngineOptions::default())
    }

    /// The CPU engine with options.
    pub fn cpu_with(options: &EngineOptions) -> Self {
        let limit = options.memory_limit.unwrap_or_else(cpu::available_memory);
        Self(Arc::new(Inner {
            backend: Backend::Cpu,
            ledger: Ledger::new(limit),
            profile: Profile::new(options.profile),
            sabotage: Arc::default(),
            memory_limit: options.memory_limit,
        }))
    }

    /// Where solutions are evaluated in f64: this engine, or beside a GPU the CPU, under the bound on
    /// memory that was asked for.
    pub(crate) fn host(&self) -> Self {
        let options =
            EngineOptions { memory_limit: self.0.memory_limit, ..EngineOptions::default() };
        if self.is_gpu() { Self::cpu_with(&options) } else { self.clone() }
    }

    /// A GPU engine.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where nothing fits the selector.
    pub fn gpu(selector: Selector) -> Result<Self> {
        Self::gpu_with(selector, &EngineOptions::default())
    }

    /// A GPU engine with options.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where nothing fits the selector, [`Error::Device`] where it fits but
    /// cannot be opened.
    pub fn gpu_with(selector: Selector, options: &EngineOptions) -> Result<Self> {
        let sabotage = Arc::<Sabotage>::default();
        let gpu = gpu::Gpu::open(&selector, options, Arc::clone(&sabotage))?;
        let limit = options.memory_limit.unwrap_or(gpu.info().memory.unwrap_or(u64::MAX));
        Ok(Self(Arc::new(Inner {
            backend: Backend::Gpu(Box::new(gpu)),
            ledger: Ledger::new(limit),
            profile: Profile::new(options.profile),
            sabotage,
            memory_limit: options.memory_limit,
        })))
    }

    /// The best real GPU that can be opened, else the CPU. A software adapter is never taken: the
    /// CPU engine is faster and more precise than a GPU emulated on the same CPU. A GPU that is
    /// there but cannot be opened is passed over with a warning in the log.
    pub fn auto() -> Self {
        Self::auto_with(&EngineOptions::default())
    }

    /// [`Engine::auto`] with options.
    pub fn auto_with(options: &EngineOptions) -> Self {
        let real = |device: &DeviceInfo| device.usable && device.kind != DeviceKind::Software;
        for device in gpu::devices().into_iter().filter(real) {
            match Self::gpu_with(Selector::Index(device.index), options) {
                Ok(engine) => return engine,
                Err(error) => log::warn!("{} cannot be used: {error}", device.name),
            }
        }
        Self::cpu_with(options)
    }

    /// Every GPU that the drivers on this machine offer, best first.
    pub fn devices() -> Vec<DeviceInfo> {
        gpu::devices()
    }

    /// True where arrays are f32 on a GPU.
    pub fn is_gpu(&self) -> bool {
        matches!(self.0.backend, Backend::Gpu(_))
    }

    /// The GPU that this engine drives; `None` on the CPU.
    pub fn device(&self) -> Option<&DeviceInfo> {
        match &self.0.backend {
            Backend::Cpu => None,
            Backend::Gpu(gpu) => Some(gpu.info()),
        }
    }

    /// One line for people: the adapter's name and driver, or the CPU and its threads.
    pub fn description(&self) -> String {
        match &self.0.backend {
            Backend::Cpu => cpu::description(),
            Backend::Gpu(gpu) => gpu.info().to_string(),
        }
    }

    /// Half the spacing of numbers near one: 2⁻⁵³ on the CPU, 2⁻²⁴ on a GPU.
    pub fn unit_roundoff(&self) -> f64 {
        if self.is_gpu() { f64::from(f32::EPSILON) / 2.0 } else { f64::EPSILON / 2.0 }
    }

    /// Bytes that one number takes on this engine: 8 on the CPU, 4 on a GPU.
    pub fn bytes_per_number(&self) -> u64 {
        if self.is_gpu() { 4 } else { 8 }
    }

    /// Refuses what cannot fit, before anything is allocated.
    ///
    /// # Errors
    /// [`Error::Limit`] with the bytes needed, the bytes left, and `remedy`.
    pub fn require(&self, what: &str, bytes: u64, remedy: &str) -> Result<()> {
        self.0.ledger.check(what, bytes, remedy)
    }

    /// Bytes of arrays that this engine holds now.
    pub fn bytes_used(&self) -> u64 {
        self.0.ledger.used()
    }

    /// The most bytes of arrays that this engine has held at once.
    pub fn bytes_peak(&self) -> u64 {
        self.0.ledger.peak()
    }

    /// Waits until everything launched so far has run.
    ///
    /// # Errors
    /// Any fault of the device since the last call.
    pub fn wait(&self) -> Result<()> {
        match &self.0.backend {
            Backend::Cpu => Ok(()),
            Backend::Gpu(gpu) => gpu.wait(&self.0.profile),
        }
    }

    /// The time of every kernel since the engine was opened, longest first. Empty unless
    /// [`EngineOptions::profile`] is set. GPU times come from the device's own timestamps, and
    /// are missing where it has none.
    ///
    /// # Errors
    /// Any fault of the device since the last call.
    pub fn profile(&self) -> Result<Vec<KernelTime>> {
        self.wait()?;
        Ok(self.0.profile.report())
    }

    /// Makes something fail later on, to test what happens then.
    #[doc(hidden)]
    pub fn sabotage(&self, fault: Fault) {
        self.0.sabotage.plan(fault);
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// Runs a CPU twin, on the clock if the engine is profiling.
    pub(crate) fn run_twin<T>(&self, kernel: &'static str, twin: impl FnOnce() -> T) -> T {
        self.0.profile.time(kernel, twin)
    }

    /// Runs work that launches several kernels. On the CPU that is done on a thread of rayon's pool:
    /// from outside, every twin would have one woken up, which takes as long as a short twin.
    pub(crate) fn in_a_row<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0.backend {
            Backend::Cpu => rayon::scope(|_| work()),
            Backend::Gpu(_) => work(),
        }
    }

    /// Launches a kernel on the GPU that this engine drives.
    pub(crate) fn launch(&self, gpu: &gpu::Gpu, launch: &Launch<'_>) -> Result<()> {
        gpu.launch(launch, &self.0.profile)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Engine({})", self.description())
    }
}

/// The error of a kernel that was given arrays of another engine: a bug in the caller.
fn wrong_engine(label: &str) -> Error {
    Error::shape(
        format!("array `{label}`"),
        "an array of the engine that runs the kernel",
        "an array of another engine",
    )
}
