//! Discrete Fourier transforms of lines: which lengths there are, and what an engine needs.

use std::f64::consts::TAU;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

use crate::engine::gpu::Gpu;
use crate::engine::{Array, Backend, Engine};
use crate::error::{Error, Result};
use crate::kernels::index;

/// Complex numbers that a workgroup holds.
const HELD: usize = 2048;
/// Lines that a CPU task transforms at a time: neighbouring ones share cache lines.
pub(crate) const LINES: usize = 4;

/// The transform of lines of one length: F_f = sum_x exp(-2 pi i f x / length) v_x.
pub(crate) struct Transform {
    length: usize,
    side: Side,
}

enum Side {
    Host(Arc<dyn Fft<f64>>),
    /// With exp(-2 pi i k / length), rounded from f64: shaders' own sines are not precise.
    Device(LineParams, Array),
}

/// How a workgroup takes lines: what the parameters of `common/fourier.wgsl` begin with.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct LineParams {
    length: u32,
    lines: u32,
    pitch: u32,
    radices: u32,
}

/// A launch's share of some lines.
pub(crate) struct Stretch {
    pub lines: Range<usize>,
    pub workgroups: u64,
    pub work: f64,
}

/// Lines of one CPU task, and what their transform needs besides.
pub(crate) struct Buffer {
    pub lines: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Transform {
    /// # Errors
    /// [`Error::Data`] for a length that is too long for a device.
    pub(crate) fn new(engine: &Engine, length: usize) -> Result<Self> {
        let side = match engine.backend() {
            Backend::Cpu => Side::Host(FftPlanner::new().plan_fft_forward(length)),
            Backend::Gpu(_) => {
                let twiddles = (0..length).flat_map(|k| {
                    let (sine, cosine) = (TAU * k as f64 / length as f64).sin_cos();
                    [cosine, -sine]
                });
                let twiddles = engine.collect("twiddles", 2 * length, twiddles)?;
                Side::Device(LineParams::new(length)?, twiddles)
            }
        };
        Ok(Self { length, side })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(engine: &Engine, length: usize) -> u64 {
        if engine.is_gpu() { 2 * length as u64 * engine.bytes_per_number() } else { 0 }
    }

    /// True for the lengths that a device transforms.
    pub(crate) fn fits_a_device(length: usize) -> bool {
        is_smooth(length) && length <= HELD
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// What a shader needs.
    pub(crate) fn device(&self) -> (LineParams, &Array) {
        match &self.side {
            Side::Device(params, twiddles) => (*params, twiddles),
            Side::Host(_) => unreachable!("made for a GPU"),
        }
    }

    /// Cuts lines into launches that end in a fraction of a second.
    pub(crate) fn stretches(&self, gpu: &Gpu, lines: Range<usize>) -> Vec<Stretch> {
        let at_once = self.device().0.lines as usize;
        // In exponentials: moving a number takes about four, a stage of its transform one or two.
        let work_per_line = (self.length * (4 + self.length.ilog2() as usize)) as f64;
        let groups = (gpu.work_per_launch() / (at_once as f64 * work_per_line)) as usize;
        let most = groups.max(1) * at_once;
        let stretch = |first: usize| {
            let lines = first..lines.end.min(first + most);
            let workgroups = lines.len().div_ceil(at_once) as u64;
            Stretch { workgroups, work: lines.len() as f64 * work_per_line, lines }
        };
        lines.clone().step_by(most).map(stretch).collect()
    }

    /// Room for [`LINES`] lines.
    pub(crate) fn buffer(&self) -> Buffer {
        let zeros = |count: usize| vec![Complex64::default(); count];
        Buffer {
            lines: zeros(LINES * self.length),
            scratch: zeros(self.host().get_inplace_scratch_len()),
        }
    }

    /// Transforms every line of a buffer.
    pub(crate) fn run(&self, buffer: &mut Buffer) {
        self.host().process_with_scratch(&mut buffer.lines, &mut buffer.scratch);
    }

    fn host(&self) -> &dyn Fft<f64> {
        match &self.side {
            Side::Host(fft) => fft.as_ref(),
            Side::Device(..) => unreachable!("made for the CPU"),
        }
    }
}

impl LineParams {
    fn new(length: usize) -> Result<Self> {
        if length > HELD {
            return Err(Error::data(
                "the grid",
                format!("lines of {length} cells, with their padding, are too long for a device"),
                format!("{HELD} are the most: use a coarser grid, or --device cpu"),
            ));
        }
        let lines = (HELD / (length | 1)).max(1);
        // The first stage lowest: the last radix is pushed down first.
        let radices = radices(length).iter().rev().fold(0, |packed, radix| packed << 4 | radix);
        Ok(Self {
            length: index("a line", length)?,
            lines: index("the lines", lines)?,
            pitch: index("a line", length | 1)?,
            radices,
        })
    }
}

/// The least length, at least this, that devices transform: 2^a 3^b 5^c.
pub(crate) fn smooth_length(least: usize) -> usize {
    let mut length = least.max(1);
    while !is_smooth(length) {
        length += 1;
    }
    length
}

pub(crate) fn is_smooth(length: usize) -> bool {
    radices(length).iter().map(|&radix| radix as usize).product::<usize>() == length
}

/// The radices of the stages of a transform.
pub(crate) fn radices(mut length: usize) -> Vec<u32> {
    let mut radices = Vec::new();
    for radix in [4, 2, 3, 5] {
        while length.is_multiple_of(radix) {
            length /= radix;
            radices.push(radix as u32);
        }
    }
    radices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_least_smooth_ones() {
        let found: Vec<usize> = [1, 7, 11, 99, 241, 721].map(smooth_length).to_vec();
        assert_eq!(found, [1, 8, 12, 100, 243, 729]);
    }

    #[test]
    fn the_stages_of_every_length_fit_into_their_parameter_and_a_workgroup() {
        for length in (1..=HELD).filter(|&length| is_smooth(length)) {
            assert!(radices(length).len() <= 8, "{length}");
            let LineParams { lines, pitch, radices, .. } = LineParams::new(length).unwrap();
            assert!((lines as usize - 1) * pitch as usize + length <= HELD, "{length}");
            let unpacked = (0..8).map(|stage| (radices >> (4 * stage) & 15).max(1) as usize);
            assert_eq!(unpacked.product::<usize>(), length);
        }
        assert!(LineParams::new(HELD + 1).is_err());
    }
}
