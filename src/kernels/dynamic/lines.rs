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
    /// From a cell to the next one along each axis.
    strides: [usize; 4],
    last: usize,
}

impl Line {
    pub(crate) fn new(layout: &Layout, number: usize) -> Self {
        let last = layout.dimension();
        let length = layout.grid.space[last - 1];
        let mut lengths = [layout.grid.time, 1, 1, 1];
        lengths[1..=last].copy_from_slice(&layout.grid.space);
        let mut coordinates = [0; 4];
        let mut rest = number;
        for axis in (0..last).rev() {
            coordinates[axis] = rest % lengths[axis];
            rest /= lengths[axis];
        }
        let mut strides = [1; 4];
        for axis in (0..last).rev() {
            strides[axis] = strides[axis + 1] * lengths[axis + 1];
        }
        let start = number * length;
        Self { start, length, place: start % strides[0], coordinates, lengths, strides, last }
    }

    /// The line after this one.
    fn next(&self) -> Self {
        let mut line = self.clone();
        line.start += line.length;
        line.place += line.length;
        if line.place == line.strides[0] {
            line.place = 0;
        }
        for axis in (0..line.last).rev() {
            line.coordinates[axis] += 1;
            if line.coordinates[axis] < line.lengths[axis] {
                break;
            }
            line.coordinates[axis] = 0;
        }
        line
    }

    /// The cells of the line.
    pub(crate) fn cells(&self) -> Range<usize> {
        self.start..self.start + self.length
    }

    /// The cells of the line in space.
    pub(crate) fn places(&self) -> Range<usize> {
        self.place..self.place + self.length
    }

    /// Numbers of a component at the cells of the line.
    #[inline(always)]
    pub(crate) fn of<'a>(&self, component: &'a [f64]) -> &'a [f64] {
        &component[self.cells()]
    }

    /// Numbers of a component below the last cells of the line: all cells but those at the border.
    #[inline(always)]
    pub(crate) fn below<'a>(&self, axis: usize, component: &'a [f64]) -> &'a [f64] {
        let Range { start, end } = self.with_lower(axis);
        let stride = self.strides[axis];
        match start < end {
            true => &component[self.start + start - stride..self.start + end - stride],
            false => &[],
        }
    }

    /// Numbers of a component above the first cells of the line: all cells but those at the border.
    #[inline(always)]
    pub(crate) fn above<'a>(&self, axis: usize, component: &'a [f64]) -> &'a [f64] {
        let Range { start, end } = self.with_upper(axis);
        let stride = self.strides[axis];
        match start < end {
            true => &component[self.start + start + stride..self.start + end + stride],
            false => &[],
        }
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

impl Slab<'_> {
    /// The lines, each with where it lies in the slab: to loop over, because a closure that is called
    /// for each would not be compiled for the instruction set of the twin around it.
    pub(crate) fn lines(
        &self,
        layout: &Layout,
    ) -> impl Iterator<Item = (Line, Range<usize>)> + use<> {
        let first = Line::new(layout, self.first);
        let (length, lines) = (first.length, self.parts[0].len() / first.length);
        let all = std::iter::successors(Some(first), |line| Some(line.next()));
        (0..lines)
            .zip(all)
            .map(move |(number, line)| (line, number * length..(number + 1) * length))
    }
}
