//! A part of an unknown moved along the difference of two forces.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    count: u32,
    factor: f32,
}

pub(crate) static SHADER: Shader = shader!("dynamic/shift", Params, [Read, Read, Write], &[&[]]);

/// values_i <- values_i + factor (a_i - b_i) for the values from `first` on.
pub(crate) fn shift(
    engine: &Engine,
    (a, b): (&Array, &Array),
    factor: f64,
    first: usize,
    values: &mut Array,
) -> Result<()> {
    let count = a.len();
    check_length("the second force", b.len(), count)?;
    check_length("the values", values.len().min(first + count), first + count)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (a, b) = (a.host()?, b.host()?);
        let values = &mut values.host_mut()?[first..first + count];
        engine.run_twin(SHADER.name, || {
            for (value, (a, b)) in values.iter_mut().zip(a.iter().zip(b)) {
                *value += factor * (a - b);
            }
        });
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[],
        &[a, b, values],
        &Params {
            first: index("the values", first)?,
            count: index("the forces", count)?,
            factor: factor as f32,
        },
        (count, count as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::properties::engines;

    #[test]
    fn only_the_part_moves() {
        for engine in engines() {
            for count in [1, 255, 256, 700] {
                let numbers =
                    |scale: f64| (0..count).map(|i| scale * i as f64).collect::<Vec<f64>>();
                let a = engine.upload("a", &numbers(3.0)).unwrap();
                let b = engine.upload("b", &numbers(1.0)).unwrap();
                let mut values = engine.filled("values", count + 5, 1.0).unwrap();
                shift(&engine, (&a, &b), 0.5, 3, &mut values).unwrap();
                let found = engine.download(&values).unwrap();
                for (place, found) in found.into_iter().enumerate() {
                    let inside = (3..3 + count).contains(&place);
                    let expected = if inside { 1.0 + (place - 3) as f64 } else { 1.0 };
                    assert_eq!(found, expected);
                }
            }
        }
    }
}
