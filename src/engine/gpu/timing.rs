//! Kernel times from the device's own timestamps.

use std::time::Duration;

use super::super::profile::Profile;
use super::stream::Command;

/// Launches timed in one go; a query set of twice this length fits every device.
const BATCH: usize = 1024;

/// Times each launch in a pass of its own. Profiling waits for every submission, so totals are
/// slower than without it, the kernels are not.
pub(super) struct Timing {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    nanoseconds_per_tick: f32,
}

impl Timing {
    pub(super) fn new(device: &wgpu::Device, nanoseconds_per_tick: f32) -> Self {
        let count = 2 * BATCH as u32;
        let buffer = |label, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: u64::from(count) * 8,
                usage,
                mapped_at_creation: false,
            })
        };
        Self {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("kernel times"),
                ty: wgpu::QueryType::Timestamp,
                count,
            }),
            resolved: buffer(
                "kernel times",
                wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            ),
            staging: buffer(
                "kernel times, read back",
                wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            ),
            nanoseconds_per_tick,
        }
    }

    /// Encodes, submits, waits and books the times.
    pub(super) fn encode(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        mut encoder: wgpu::CommandEncoder,
        commands: &[Command],
        profile: &Profile,
    ) {
        for batch in commands.chunks(BATCH) {
            let mut kernels = Vec::new();
            for command in batch {
                match command {
                    Command::Copy { source, target, bytes } => {
                        encoder.copy_buffer_to_buffer(source, 0, target, 0, *bytes);
                    }
                    Command::Dispatch(recorded) => {
                        let first = 2 * kernels.len() as u32;
                        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                            label: Some(recorded.kernel),
                            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                                query_set: &self.queries,
                                beginning_of_pass_write_index: Some(first),
                                end_of_pass_write_index: Some(first + 1),
                            }),
                        });
                        recorded.encode(&mut pass);
                        kernels.push(recorded.kernel);
                    }
                }
            }
            let stamps = 2 * kernels.len() as u32;
            if stamps > 0 {
                encoder.resolve_query_set(&self.queries, 0..stamps, &self.resolved, 0);
                let bytes = u64::from(stamps) * 8;
                encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, bytes);
            }
            queue.submit([encoder.finish()]);
            encoder = device.create_command_encoder(&Default::default());
            self.staging.map_async(wgpu::MapMode::Read, .., |_| {});
            // If the device is lost here, mapping fails and the fault handler has the reason.
            let _ = device.poll(wgpu::PollType::wait_indefinitely());
            if let Ok(view) = self.staging.get_mapped_range(..) {
                let ticks: &[u64] = bytemuck::cast_slice(&view);
                for (kernel, stamps) in kernels.iter().zip(ticks.chunks(2)) {
                    let nanoseconds = stamps[1].saturating_sub(stamps[0]) as f64
                        * f64::from(self.nanoseconds_per_tick);
                    profile.add(kernel, Duration::from_nanos(nanoseconds as u64));
                }
            }
            self.staging.unmap();
        }
    }
}
