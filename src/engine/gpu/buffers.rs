//! Buffers: made, written, copied, read back.

use std::sync::mpsc;

use super::Gpu;
use super::stream::Command;
use crate::engine::profile::Profile;
use crate::engine::wrong_engine;
use crate::error::{Error, Result};

/// Bytes converted and handed to the driver at a time when writing.
const WRITE_CHUNK: usize = 1 << 24;

/// A buffer that knows which device it lives on: another device would refuse it late and obscurely.
pub(crate) struct Buffer {
    raw: wgpu::Buffer,
    device: u64,
    pub(super) label: &'static str,
}

/// Numbers on their way to the host.
pub struct ReadBack {
    staging: wgpu::Buffer,
    device: u64,
    len: usize,
    mapped: mpsc::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    index: wgpu::SubmissionIndex,
}

impl Gpu {
    pub(in crate::engine) fn buffer(&self, label: &'static str, bytes: u64) -> Result<Buffer> {
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

    /// Refuses a buffer of another device.
    pub(super) fn own<'a>(&self, buffer: &'a Buffer) -> Result<&'a wgpu::Buffer> {
        if buffer.device == self.id { Ok(&buffer.raw) } else { Err(wrong_engine(buffer.label)) }
    }

    pub(in crate::engine) fn write_bytes(
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

    pub(in crate::engine) fn write_f32(
        &self,
        buffer: &Buffer,
        values: &[f64],
        profile: &Profile,
    ) -> Result<()> {
        let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        self.write_bytes(buffer, bytemuck::cast_slice(&narrow), profile)
    }

    pub(in crate::engine) fn copy(
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

    pub(in crate::engine) fn read_back(
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

    pub(in crate::engine) fn finish(&self, read: ReadBack) -> Result<Vec<f64>> {
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
