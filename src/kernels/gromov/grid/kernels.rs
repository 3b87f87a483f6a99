//! Transforms of distances as functions of offsets, made on the host in f64.

use rayon::prelude::*;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

use crate::kernels::gromov::frequency_product::distinct_frequencies;

/// The transform of a kernel k(|dy|, |dx|) that convolves images of `shape`, padded to
/// (height, width): (width, height), divided by the number of cells because the transforms of the
/// engines are not. It is real because k is even along both axes.
pub(crate) fn convolution(
    [rows, cols]: [usize; 2],
    [height, width]: [usize; 2],
    kernel: impl Fn(usize, usize) -> f64 + Sync,
) -> Vec<f64> {
    // A circle of offsets: 0, 1, ..., then nothing, then ..., -2, -1.
    let steps = |place: usize, length: usize| place.min(length - place);
    let scale = 1.0 / (height as f64 * width as f64);
    let mut along_rows = vec![Complex64::default(); height * width];
    along_rows.par_chunks_mut(width).enumerate().for_each(|(y, line)| {
        let dy = steps(y, height);
        for (x, cell) in line.iter_mut().enumerate().filter(|_| dy < rows) {
            let dx = steps(x, width);
            if dx < cols {
                cell.re = scale * kernel(dy, dx);
            }
        }
    });
    transform_lines(&mut along_rows, width);
    let mut along_cols = vec![Complex64::default(); height * width];
    along_cols.par_chunks_mut(height).enumerate().for_each(|(x, line)| {
        for (cell, row) in line.iter_mut().zip(along_rows.chunks(width)) {
            *cell = row[x];
        }
    });
    transform_lines(&mut along_cols, height);
    along_cols.iter().map(|value| value.re).collect()
}

/// The transforms of k(a, b, steps) along a circle of `around` cells, for every pair of `rows`: for
/// each frequency a symmetric matrix (rows, rows), divided by the length of the transforms. Images
/// are padded where `length` is not the circle's: then offsets -around < d < around are told apart.
pub(crate) fn frequencies(
    rows: usize,
    around: usize,
    length: usize,
    kernel: impl Fn(usize, usize, usize) -> f64 + Sync,
) -> Vec<f64> {
    let distinct = distinct_frequencies(length);
    let scale = 1.0 / length as f64;
    let transform = FftPlanner::new().plan_fft_forward(length);
    // By the first row, the second and the frequency; k is symmetric, so half of it will do.
    let by_row: Vec<Vec<f64>> = (0..rows)
        .into_par_iter()
        .map(|a| {
            let mut lines = vec![Complex64::default(); (a + 1) * length];
            for (b, line) in lines.chunks_mut(length).enumerate() {
                for (place, cell) in line.iter_mut().enumerate() {
                    let offset = place.min(length - place);
                    if offset < around {
                        cell.re = scale * kernel(b, a, offset.min(around - offset));
                    }
                }
            }
            transform.process(&mut lines);
            let kept = lines.chunks(length).flat_map(|line| &line[..distinct]);
            kept.map(|value| value.re).collect()
        })
        .collect();
    let mut matrices = vec![0.0; distinct * rows * rows];
    matrices.par_chunks_mut(rows * rows).enumerate().for_each(|(frequency, matrix)| {
        for (place, entry) in matrix.iter_mut().enumerate() {
            let (a, b) = (place / rows, place % rows);
            *entry = by_row[a.max(b)][a.min(b) * distinct + frequency];
        }
    });
    matrices
}

fn transform_lines(lines: &mut [Complex64], length: usize) {
    let transform = FftPlanner::new().plan_fft_forward(length);
    lines.par_chunks_mut(length).for_each_init(
        || vec![Complex64::default(); transform.get_inplace_scratch_len()],
        |scratch, line| transform.process_with_scratch(line, scratch),
    );
}
