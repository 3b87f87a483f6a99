//! Planes of numbers through a sparse matrix: a density in the space that a law leads to.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    planes: u32,
    rows: u32,
    source_first: u32,
    source_stride: u32,
    less_first: u32,
    less_stride: u32,
    out_first: u32,
    out_stride: u32,
    extrapolation: f32,
    keep: f32,
    factor: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "dynamic/law_product",
    Params,
    [Read, Read, Read, Read, Read, Read, Read, Write],
    &[&[("LESS", 0)], &[("LESS", 1)]]
);

/// A matrix by its entries that are not zero, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sparse {
    /// Where the entries of every row begin, and where the last ones end.
    pub starts: Vec<u32>,
    pub columns: Vec<u32>,
    pub weights: Vec<f64>,
    /// Columns in all.
    pub width: usize,
}

impl Sparse {
    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of a row: columns and weights.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        let weights = self.weights[range.clone()].iter().copied();
        self.columns[range].iter().map(|column| *column as usize).zip(weights)
    }

    /// Rows as columns; entries of a row are in the order of their columns.
    pub(crate) fn transposed(&self) -> Self {
        let mut counts = vec![0_u32; self.width + 1];
        self.columns.iter().for_each(|column| counts[*column as usize + 1] += 1);
        for column in 0..self.width {
            counts[column + 1] += counts[column];
        }
        let starts = counts.clone();
        let (mut columns, mut weights) =
            (vec![0; self.columns.len()], vec![0.0; self.weights.len()]);
        for row in 0..self.rows() {
            for (column, weight) in self.row(row) {
                let place = counts[column] as usize;
                columns[place] = row as u32;
                weights[place] = weight;
                counts[column] += 1;
            }
        }
        Self { starts, columns, weights, width: self.rows() }
    }

    /// All entries times a factor.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self
    }

    /// The product with a vector.
    pub(crate) fn times(&self, vector: &[f64]) -> Vec<f64> {
        (0..self.rows())
            .map(|row| self.row(row).map(|(column, weight)| weight * vector[column]).sum())
            .collect()
    }

    /// The matrix on an engine.
    pub(crate) fn upload(&self, engine: &Engine) -> Result<SparseArray> {
        Ok(SparseArray {
            starts: engine.table("rows of a law", &self.starts)?,
            columns: engine.table("columns of a law", &self.columns)?,
            weights: engine.upload("weights of a law", &self.weights)?,
            width: self.width,
        })
    }

    /// Bytes that it takes on an engine.
    pub(crate) fn bytes(&self, engine: &Engine) -> u64 {
        (self.starts.len() + self.columns.len()) as u64 * 4
            + self.weights.len() as u64 * engine.bytes_per_number()
    }
}

/// A [`Sparse`] matrix on an engine.
pub(crate) struct SparseArray {
    starts: Table,
    columns: Table,
    weights: Array,
    width: usize,
}

impl SparseArray {
    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }
}

/// Where the planes of an array lie: the first one, and from one to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    pub first: usize,
    pub stride: usize,
}

/// Two arrays x and x' that stand for x + extrapolation (x' - x), plane by plane.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub here: &'a Array,
    pub next: &'a Array,
    pub planes: Planes,
}

impl<'a> Source<'a> {
    /// An array as it is.
    pub(crate) fn plain(array: &'a Array, planes: Planes) -> Self {
        Self { here: array, next: array, planes }
    }
}

/// What a product does to what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub keep: f64,
    pub factor: f64,
    pub extrapolation: f64,
}

impl Sum {
    /// `factor` times the product, and nothing of what was there.
    pub(crate) fn fresh(factor: f64) -> Self {
        Self { keep: 0.0, factor, extrapolation: 0.0 }
    }

    /// `factor` times the product is added.
    pub(crate) fn added(factor: f64) -> Self {
        Self { keep: 1.0, factor, extrapolation: 0.0 }
    }
}

/// out_kj <- keep out_kj + factor (sum_i S_ji v_ki - w_kj) for so many planes k, with v the source
/// and w what is taken away, both extrapolated.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn law_product(
    engine: &Engine,
    matrix: &SparseArray,
    planes: usize,
    source: Source<'_>,
    less: Option<Source<'_>>,
    sum: Sum,
    place: Planes,
    out: &mut Array,
) -> Result<()> {
    let rows = matrix.rows();
    let check = |what: &str, array: &Array, at: Planes, width: usize| {
        let needed = at.first + (planes - 1) * at.stride + width;
        check_length(what, array.len().min(needed), needed)
    };
    if planes == 0 {
        return Ok(());
    }
    check("the source", source.here, source.planes, matrix.width)?;
    check("the next source", source.next, source.planes, matrix.width)?;
    if let Some(less) = less {
        check("what is taken away", less.here, less.planes, rows)?;
        check("what is taken away next", less.next, less.planes, rows)?;
    }
    check("the product", out, place, rows)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let twin = Twin {
            matrix: (matrix.starts.host()?, matrix.columns.host()?, matrix.weights.host()?),
            source: (source.here.host()?, source.next.host()?, source.planes),
            less: match less {
                Some(less) => Some((less.here.host()?, less.next.host()?, less.planes)),
                None => None,
            },
            sum,
        };
        let out = &mut out.host_mut()?[place.first..];
        engine.run_twin(SHADER.name, || {
            out.par_chunks_mut(place.stride)
                .take(planes)
                .enumerate()
                .for_each(|(plane, out)| twin.run(plane, &mut out[..rows]));
        });
        return Ok(());
    };
    let subtracted = less.unwrap_or(source);
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[("LESS", u32::from(less.is_some()))],
        &[
            &matrix.starts,
            &matrix.columns,
            &matrix.weights,
            source.here,
            source.next,
            // Bound, but not read, where there is none.
            subtracted.here,
            subtracted.next,
            out,
        ],
        &Params {
            planes: index("planes", planes)?,
            rows: index("rows", rows)?,
            source_first: index("the source", source.planes.first)?,
            source_stride: index("the source", source.planes.stride)?,
            less_first: index("what is taken away", subtracted.planes.first)?,
            less_stride: index("what is taken away", subtracted.planes.stride)?,
            out_first: index("the product", place.first)?,
            out_stride: index("the product", place.stride)?,
            extrapolation: sum.extrapolation as f32,
            keep: sum.keep as f32,
            factor: sum.factor as f32,
        },
        (planes * rows, (planes * (rows + matrix.weights.len())) as f64),
    )
}

struct Twin<'a> {
    matrix: (&'a [u32], &'a [u32], &'a [f64]),
    source: (&'a [f64], &'a [f64], Planes),
    less: Option<(&'a [f64], &'a [f64], Planes)>,
    sum: Sum,
}

impl Twin<'_> {
    fn run(&self, plane: usize, out: &mut [f64]) {
        let (starts, columns, weights) = self.matrix;
        let Sum { keep, factor, extrapolation } = self.sum;
        let value = |(here, next, planes): (&[f64], &[f64], Planes), place: usize| {
            let place = planes.first + plane * planes.stride + place;
            here[place] + extrapolation * (next[place] - here[place])
        };
        for (row, out) in out.iter_mut().enumerate() {
            let entries = starts[row] as usize..starts[row + 1] as usize;
            let products =
                entries.map(|entry| weights[entry] * value(self.source, columns[entry] as usize));
            let mut sum: f64 = products.sum();
            if let Some(less) = self.less {
                sum -= value(less, row);
            }
            *out = keep * *out + factor * sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::kernels::properties::engines;

    fn random(seed: u64, count: usize) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    fn sparse(rows: usize, width: usize, seed: u64) -> Sparse {
        let numbers = random(seed, rows * width);
        let mut matrix = Sparse { starts: vec![0], columns: vec![], weights: vec![], width };
        for row in 0..rows {
            for column in 0..width {
                let number = numbers[row * width + column];
                // The first row is empty.
                if row > 0 && number > 0.0 {
                    matrix.columns.push(column as u32);
                    matrix.weights.push(number);
                }
            }
            matrix.starts.push(matrix.columns.len() as u32);
        }
        matrix
    }

    fn dense(matrix: &Sparse) -> Vec<Vec<f64>> {
        let mut all = vec![vec![0.0; matrix.width]; matrix.rows()];
        for (row, values) in all.iter_mut().enumerate() {
            matrix.row(row).for_each(|(column, weight)| values[column] += weight);
        }
        all
    }

    #[test]
    fn transposes_and_products_are_those_of_the_dense_matrix() {
        for (rows, width) in [(1, 1), (5, 3), (4, 9)] {
            let matrix = sparse(rows, width, 7);
            let (all, turned) = (dense(&matrix), dense(&matrix.transposed()));
            for row in 0..rows {
                for column in 0..width {
                    assert_eq!(all[row][column], turned[column][row]);
                }
            }
            let vector = random(8, width);
            let product = matrix.times(&vector);
            for (row, found) in all.iter().zip(product) {
                let expected: f64 = row.iter().zip(&vector).map(|(a, x)| a * x).sum();
                assert!((found - expected).abs() < 1e-14);
            }
            assert_eq!(matrix.transposed().transposed(), matrix);
        }
    }

    #[test]
    fn planes_go_through_the_matrix() {
        for (rows, width, planes) in [(3, 5, 1), (7, 2, 4), (300, 40, 3)] {
            let matrix = sparse(rows, width, 1);
            let all = dense(&matrix);
            // Planes lie apart from one another, and not at the beginning.
            let (from, to) = (width + 2, rows + 3);
            let [here, next] = [2, 3].map(|seed| random(seed, 4 + planes * from));
            let [less, next_less] = [4, 5].map(|seed| random(seed, 1 + planes * to));
            let before = random(6, 5 + planes * to);
            let sum = Sum { keep: 0.5, factor: -1.5, extrapolation: 1.25 };
            for engine in engines() {
                let bound = if engine.is_gpu() { 1e-5 } else { 1e-13 };
                let matrix = matrix.upload(&engine).unwrap();
                let up = |values: &[f64]| engine.upload("values", values).unwrap();
                let (here_up, next_up, less_up, next_less_up) =
                    (up(&here), up(&next), up(&less), up(&next_less));
                let source = Planes { first: 4, stride: from };
                let taken = Planes { first: 1, stride: to };
                let place = Planes { first: 5, stride: to };
                for with_less in [false, true] {
                    let mut out = up(&before);
                    law_product(
                        &engine,
                        &matrix,
                        planes,
                        Source { here: &here_up, next: &next_up, planes: source },
                        with_less.then_some(Source {
                            here: &less_up,
                            next: &next_less_up,
                            planes: taken,
                        }),
                        sum,
                        place,
                        &mut out,
                    )
                    .unwrap();
                    let found = engine.download(&out).unwrap();
                    let mut expected = before.clone();
                    let mix = |a: f64, b: f64| a + 1.25 * (b - a);
                    for plane in 0..planes {
                        for row in 0..rows {
                            let product: f64 = (0..width)
                                .map(|column| {
                                    let at = 4 + plane * from + column;
                                    all[row][column] * mix(here[at], next[at])
                                })
                                .sum();
                            let at = 1 + plane * to + row;
                            let less = if with_less { mix(less[at], next_less[at]) } else { 0.0 };
                            let out = &mut expected[5 + plane * to + row];
                            *out = 0.5 * *out - 1.5 * (product - less);
                        }
                    }
                    for (found, expected) in found.iter().zip(&expected) {
                        let error = (found - expected).abs();
                        assert!(error < bound * (10.0 + expected.abs()), "{engine:?} {error:e}");
                    }
                }
            }
        }
    }
}
