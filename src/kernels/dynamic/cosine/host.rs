//! The CPU twin of the kernels that transform lines in workgroup memory.

use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis as Dimension, Ix3};
use ndarray::{ShapeBuilder, StrideShape};
use rayon::prelude::*;

use super::lanes::{LANES, Numbers};
use super::{Axis, Cosines};

/// Lines of a task: neighbouring ones that fill a line of the cache. The first half of them are
/// real parts.
const WIDTH: usize = 2 * LANES;

impl Axis {
    /// (blocks, length, lines) of lines that lie together: all, where each lies in one piece.
    fn by_block(self) -> StrideShape<Ix3> {
        let Self { outer, length, inner } = self;
        match inner {
            1 => (1, length, outer).strides((outer * length, 1, length)),
            _ => (outer, length, inner).strides((length * inner, inner, 1)),
        }
    }
}

/// What is done with lines.
pub(in super::super) enum Pass<'a> {
    Forward,
    Inverse,
    /// Forward, this, and back: it is given the first line of a band, and the band's coefficients.
    Filter(&'a (dyn Fn(usize, &mut [Numbers]) + Sync)),
}

/// Transforms every line of an array in place.
pub(in super::super) fn run(cosines: &Cosines, axis: Axis, pass: &Pass<'_>, values: &mut [f64]) {
    let plan = cosines.host();
    let buffer = || plan.buffer();
    for_each_band(axis, values, WIDTH, buffer, |buffer, first_line, mut lines| {
        let (forward, inverse) = (!matches!(pass, Pass::Inverse), !matches!(pass, Pass::Forward));
        read(&lines, plan.seats(forward), &mut buffer.lines);
        if forward {
            plan.forward(buffer);
        }
        if let Pass::Filter(filter) = pass {
            filter(first_line, &mut buffer.lines);
        }
        if inverse {
            plan.inverse(buffer);
        }
        // An inverse leaves the conjugate.
        let sign = if inverse { -1.0 } else { 1.0 };
        write(&mut lines, plan.seats(inverse), sign, &buffer.lines);
    });
}

/// The lines of an array by block, (blocks, length, lines): neighbouring ones are neighbours.
pub(in super::super) fn lines_of(axis: Axis, values: &[f64]) -> ArrayView3<'_, f64> {
    ArrayView3::from_shape(axis.by_block(), values).expect("the kernel checked it")
}

/// Calls `visit` with some room, the first line and the view (length, lines) of every few
/// neighbouring lines of an array, in parallel.
pub(in super::super) fn for_each_band<R>(
    axis: Axis,
    values: &mut [f64],
    width: usize,
    room: impl Fn() -> R + Sync,
    visit: impl Fn(&mut R, usize, ArrayViewMut2<'_, f64>) + Sync,
) {
    let mut view =
        ArrayViewMut3::from_shape(axis.by_block(), values).expect("the kernel checked it");
    let mut bands = Vec::new();
    let mut first_line = 0;
    for mut rest in view.axis_iter_mut(Dimension(0)) {
        while !rest.is_empty() {
            let lines = width.min(rest.ncols());
            let (band, others) = rest.split_at(Dimension(1), lines);
            bands.push((first_line, band));
            first_line += lines;
            rest = others;
        }
    }
    bands.into_par_iter().for_each_init(&room, |room, (first_line, band)| {
        visit(room, first_line, band);
    });
}

/// Puts lines where `seats` says, one number of each a seat; those that a full band has more are
/// zero.
fn read(lines: &ArrayViewMut2<'_, f64>, seats: &[usize], into: &mut [Numbers]) {
    let into: &mut [[f64; WIDTH]] = bytemuck::cast_slice_mut(into);
    let (length, count) = lines.dim();
    if count < WIDTH {
        into.fill([0.0; WIDTH]);
    }
    match lines.view().reversed_axes().to_slice() {
        Some(lines) if count == WIDTH => {
            let lines: [&[f64]; WIDTH] =
                std::array::from_fn(|lane| &lines[lane * length..][..length]);
            for (place, &seat) in seats.iter().enumerate().take(length) {
                let numbers = &mut into[seat];
                for lane in 0..WIDTH {
                    numbers[lane] = lines[lane][place];
                }
            }
        }
        Some(lines) => {
            for (lane, line) in lines.chunks_exact(length).enumerate() {
                for (&seat, &value) in seats.iter().zip(line) {
                    into[seat][lane] = value;
                }
            }
        }
        None => {
            for (&seat, row) in seats.iter().zip(lines.rows()) {
                let row = row.to_slice().expect("neighbouring lines are neighbours");
                match row.first_chunk() {
                    Some(row) => into[seat] = *row,
                    None => into[seat][..count].copy_from_slice(row),
                }
            }
        }
    }
}

/// Takes lines from where `seats` says; the imaginary parts times `sign`.
fn write(lines: &mut ArrayViewMut2<'_, f64>, seats: &[usize], sign: f64, from: &[Numbers]) {
    let length = lines.nrows();
    if let Some(lines) = lines.view_mut().reversed_axes().into_slice() {
        for (lane, line) in lines.chunks_exact_mut(length).enumerate() {
            let sign = if lane < LANES { 1.0 } else { sign };
            let from: &[[f64; WIDTH]] = bytemuck::cast_slice(from);
            for (&seat, value) in seats.iter().zip(line) {
                *value = sign * from[seat][lane];
            }
        }
    } else {
        for (&seat, row) in seats.iter().zip(lines.rows_mut()) {
            let row = row.into_slice().expect("neighbouring lines are neighbours");
            let Numbers { re, im } = &from[seat];
            match row.first_chunk_mut::<WIDTH>() {
                Some(row) => {
                    for lane in 0..LANES {
                        row[lane] = re[lane];
                        row[lane + LANES] = sign * im[lane];
                    }
                }
                None => {
                    let numbers = re.iter().copied().chain(im.iter().map(|im| sign * im));
                    row.iter_mut().zip(numbers).for_each(|(out, number)| *out = number);
                }
            }
        }
    }
}
