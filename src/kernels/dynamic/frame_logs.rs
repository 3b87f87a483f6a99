//! Frames of densities as logarithms of probabilities that are nowhere zero.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    frames: u32,
    length: u32,
    floor: f32,
}

pub(crate) static SHADER: Shader = shader!("dynamic/frame_logs", Params, [Read, Write], &[&[]]);

/// out_kj = log((1 - floor) x_kj / sum_j x_kj + floor / n) for every frame k of n values, with x what
/// is positive of the values; 0 < floor < 1.
pub(crate) fn frame_logs(
    engine: &Engine,
    frames: usize,
    values: &Array,
    floor: f64,
    out: &mut Array,
) -> Result<()> {
    check_length("the logarithms", out.len(), values.len())?;
    let length = values.len() / frames;
    check_length("the frames", values.len(), frames * length)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let values = values.host()?;
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || {
            out.par_chunks_mut(length).zip(values.par_chunks(length)).for_each(|(out, values)| {
                out.copy_from_slice(values);
                probabilities(out, floor);
                out.iter_mut().for_each(|value| *value = value.ln());
            });
        });
        return Ok(());
    };
    engine.launch(
        gpu,
        &Launch {
            shader: &SHADER,
            constants: &[],
            bindings: &[values.buffer()?.into(), out.buffer()?.into()],
            immediates: bytemuck::bytes_of(&Params {
                frames: index("frames", frames)?,
                length: index("a frame", length)?,
                floor: floor as f32,
            }),
            workgroups: frames as u64,
            work: values.len() as f64,
        },
    )
}

/// (1 - floor) x_j / sum_j x_j + floor / n, x what is positive of the values.
pub(crate) fn probabilities(values: &mut [f64], floor: f64) {
    let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
    // A frame without mass is as good as a uniform one.
    let share = if total > 0.0 { (1.0 - floor) / total } else { 0.0 };
    let least = floor / values.len() as f64;
    values.iter_mut().for_each(|value| *value = share * value.max(0.0) + least);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::properties::engines;

    #[test]
    fn frames_are_probabilities_and_nowhere_zero() {
        for engine in engines() {
            for length in [1, 2, 257, 600] {
                let values: Vec<f64> =
                    (0..3 * length).map(|i| (i * i % 13) as f64 - 3.0 * (i % 5) as f64).collect();
                let up = engine.upload("values", &values).unwrap();
                let mut out = engine.zeros("logs", values.len()).unwrap();
                frame_logs(&engine, 3, &up, 0.01, &mut out).unwrap();
                let found = engine.download(&out).unwrap();
                for (found, values) in found.chunks(length).zip(values.chunks(length)) {
                    let mass: f64 = found.iter().map(|log| log.exp()).sum();
                    assert!((mass - 1.0).abs() < 1e-5 || values.iter().all(|v| *v <= 0.0));
                    let positive: f64 = values.iter().filter(|value| **value > 0.0).sum();
                    for (found, value) in found.iter().zip(values) {
                        let part = if *value > 0.0 { 0.99 * value / positive } else { 0.0 };
                        let expected = (part + 0.01 / length as f64).ln();
                        let bound = if engine.is_gpu() { 2e-6 } else { 1e-13 };
                        assert!((found - expected).abs() < bound, "{engine:?}");
                    }
                }
            }
        }
    }
}
