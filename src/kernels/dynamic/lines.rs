//! How the CPU twins walk a grid: line by line along its last axis, so that loops run over
//! neighbours in memory.

use std::ops::Range;

use super::Layout;

/// Cells that a task takes, about.
const SLAB: usize = 4096;

/// The cells of one line along the last axis.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The first cell.
    pub start: usize,
    pub length: usize,
    /// Its place in space.
    pub place: usize,
    /// Coordinates along time and the axes of space; that along the last is 0.
    coordinates: [usize; 4],
    lengths: [usize; 4],
    last: usize,
}

impl Line {
    pub(crate) fn new(layout: &Layout, number: usize) -> Self {
        let last = layout.dimension();
        let length = layout.grid.space[last - 1];
        let mut lengths = [1; 4];
        lengths[..=last].copy_from_slice(&layout.grid.lengths());
        let mut coordinates = [0; 4];
        let mut rest = number;
        for axis in (0..last).rev() {
            coordinates[axis] = rest % lengths[axis];
            rest /= lengths[axis];
        }
        let start = number * length;
        Self { start, length, place: start % layout.grid.places(), coordinates, lengths, last }
    }

    /// The cells of the line.
    pub(crate) fn cells(&self) -> Range<usize> {
        self.start..self.start + self.length
    }

    /// The cells of the line in space.
    pub(crate) fn places(&self) -> Range<usize> {
        self.place..self.place + self.length
    }

    /// Cells of the line that have a neighbour below them along an axis, counted from its start.
    pub(crate) fn with_lower(&self, axis: usize) -> Range<usize> {
        match axis {
            _ if axis == self.last => 1..self.length,
            _ if self.coordinates[axis] > 0 => 0..self.length,
            _ => 0..0,
        }
    }

    /// Cells of the line that have a neighbour above them along an axis, counted from its start.
    pub(crate) fn with_upper(&self, axis: usize) -> Range<usize> {
        match axis {
            _ if axis == self.last => 0..self.length - 1,
            _ if self.coordinates[axis] + 1 < self.lengths[axis] => 0..self.length,
            _ => 0..0,
        }
    }
}

/// A task's part of some components: whole lines.
pub(crate) struct Slab<'a> {
    /// The first line.
    pub first: usize,
    /// The part of each component.
    pub parts: Vec<&'a mut [f64]>,
}

/// Cuts arrays of components into slabs of the same lines.
pub(crate) fn slabs<'a>(layout: &Layout, arrays: Vec<&'a mut [f64]>) -> Vec<Slab<'a>> {
    let (cells, length) = (layout.grid.cells(), *layout.grid.space.last().expect("an axis"));
    let lines = (SLAB / length).max(1);
    let mut slabs: Vec<Slab<'a>> = (0..(cells / length).div_ceil(lines))
        .map(|slab| Slab { first: slab * lines, parts: Vec::new() })
        .collect();
    for array in arrays {
        for component in array.chunks_mut(cells) {
            for (slab, part) in slabs.iter_mut().zip(component.chunks_mut(lines * length)) {
                slab.parts.push(part);
            }
        }
    }
    slabs
}

/// Calls `work` for every line of a slab, with where it lies in the slab.
pub(crate) fn for_each_line(
    layout: &Layout,
    slab: &mut Slab<'_>,
    mut work: impl FnMut(&Line, Range<usize>, &mut [&mut [f64]]),
) {
    let length = *layout.grid.space.last().expect("an axis");
    let lines = slab.parts[0].len() / length;
    for number in 0..lines {
        let line = Line::new(layout, slab.first + number);
        work(&line, number * length..(number + 1) * length, &mut slab.parts);
    }
}

/// The values of a staggered component above the cells of a line: the entries of the next cells,
/// or at the border of the box what is known there.
pub(crate) fn upper_faces(
    layout: &Layout,
    line: &Line,
    axis: usize,
    component: &[f64],
    end: &[f64],
    out: &mut [f64],
) {
    match axis {
        0 => out.copy_from_slice(&end[line.places()]),
        _ => out.fill(0.0),
    }
    let inner = line.with_upper(axis);
    let first = line.start + layout.stride(axis);
    let above = &component[first.min(component.len())..];
    out[inner.clone()].copy_from_slice(&above[inner]);
}
