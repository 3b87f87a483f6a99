//! Launches of kernels: pipelines, windows of buffers, the order of workgroups.

use std::sync::Arc;

use super::shader::{Access, Shader, expand};
use super::stream::{Command, Recorded};
use super::{Buffer, Gpu, MAX_WORKGROUPS};
use crate::engine::profile::Profile;
use crate::error::{Error, Result};

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

pub(super) type PipelineKey = (&'static str, Vec<(&'static str, u32)>);

impl Gpu {
    pub(in crate::engine) fn launch(&self, launch: &Launch<'_>, profile: &Profile) -> Result<()> {
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
}

/// Encodes commands into as few passes as possible.
pub(super) fn encode(encoder: &mut wgpu::CommandEncoder, commands: &[Command]) {
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
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
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
