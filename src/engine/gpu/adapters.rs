//! The GPUs that the drivers on this machine offer.

use std::fmt;

use crate::error::{Error, Result};

/// Which GPU to open.
///
/// ```
/// use gaspard::{Engine, Selector};
///
/// // The device whose name holds this, or the CPU.
/// let engine = Engine::gpu(Selector::Name("nvidia".into())).unwrap_or_else(|_| Engine::cpu());
/// println!("{}", engine.description());
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The best one; a software adapter only where there is no other.
    Best,
    /// The one with this index in [`crate::Engine::devices`].
    Index(usize),
    /// The first whose name contains this text, in any case.
    Name(String),
}

/// What kind of thing an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// A card with its own memory.
    Discrete,
    /// A GPU that shares the CPU's memory.
    Integrated,
    /// A GPU handed to a virtual machine.
    Virtual,
    /// Something that the driver does not classify.
    Other,
    /// A GPU emulated on the CPU: for tests.
    Software,
}

/// A GPU, as its driver describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
    /// Position in [`crate::Engine::devices`]; `--device N` on the command line.
    pub index: usize,
    /// The adapter's name.
    pub name: String,
    /// What kind of adapter it is.
    pub kind: DeviceKind,
    /// The graphics interface: vulkan, metal, dx12.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// Bytes of memory that the driver reports, where it does.
    pub memory: Option<u64>,
    /// The most bytes that one binding may span; larger matrices are walked in panels.
    pub max_binding_bytes: u64,
    /// The most bytes that one buffer may hold.
    pub max_buffer_bytes: u64,
    /// False where the adapter lacks a feature that gaspard's kernels need.
    pub usable: bool,
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::Discrete => "discrete GPU",
            DeviceKind::Integrated => "integrated GPU",
            DeviceKind::Virtual => "virtual GPU",
            DeviceKind::Other => "GPU",
            DeviceKind::Software => "software adapter",
        };
        write!(formatter, "{} ({kind}, {}, {})", self.name, self.backend, self.driver)
    }
}

/// What every kernel needs beyond the WebGPU baseline.
pub(super) const REQUIRED_FEATURES: wgpu::Features = wgpu::Features::IMMEDIATES;

/// Every adapter with its description, best first.
pub(super) fn adapters() -> Vec<(wgpu::Adapter, DeviceInfo)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
    // Report "out of memory" before the driver starts to misbehave.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let mut found: Vec<_> = adapters
        .into_iter()
        .map(|adapter| {
            let info = describe(&adapter);
            (adapter, info)
        })
        .collect();
    found.sort_by_key(|(_, info)| (!info.usable, info.kind));
    for (index, (_, info)) in found.iter_mut().enumerate() {
        info.index = index;
    }
    found
}

fn describe(adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
        wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        wgpu::DeviceType::Other => DeviceKind::Other,
    };
    DeviceInfo {
        index: 0,
        name: info.name,
        kind,
        backend: info.backend.to_str().to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        memory: device_memory(adapter),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        usable: adapter.features().contains(REQUIRED_FEATURES) && limits.max_immediate_size >= 128,
    }
}

/// The largest device-local heap, which only Vulkan reports.
#[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
#[expect(unsafe_code, reason = "the heap sizes can only be asked of the raw Vulkan device")]
fn device_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handles are only read, while the adapter that owns them is borrowed.
    unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        let memory = instance.get_physical_device_memory_properties(adapter.raw_physical_device());
        memory.memory_heaps_as_slice().iter().map(|heap| heap.size).max()
    }
}

#[cfg(any(target_vendor = "apple", target_arch = "wasm32"))]
fn device_memory(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The adapter that a selector names.
pub(super) fn select(selector: &Selector) -> Result<(wgpu::Adapter, DeviceInfo)> {
    let mut found = adapters();
    let position = match selector {
        Selector::Best => found.iter().position(|(_, info)| info.usable),
        Selector::Index(index) => (*index < found.len()).then_some(*index),
        Selector::Name(name) => found
            .iter()
            .position(|(_, info)| info.name.to_lowercase().contains(&name.to_lowercase())),
    };
    let Some(position) = position else {
        let request = match selector {
            Selector::Best => "any GPU".to_owned(),
            Selector::Index(index) => format!("GPU {index}"),
            Selector::Name(name) => format!("a GPU named `{name}`"),
        };
        let names: Vec<_> = found.iter().map(|(_, info)| info.to_string()).collect();
        let found = if names.is_empty() {
            "no driver offers a GPU here; install a Vulkan driver, or use --device cpu".to_owned()
        } else {
            format!("there is: cpu; {}", names.join("; "))
        };
        return Err(Error::NoDevice { request, found });
    };
    let (adapter, info) = found.swap_remove(position);
    if !info.usable {
        return Err(Error::NoDevice {
            request: info.to_string(),
            found: "its driver lacks immediates (push constants) of 128 bytes".to_owned(),
        });
    }
    Ok((adapter, info))
}
