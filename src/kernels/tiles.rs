//! Work lists: which part of which problem each workgroup takes.

use std::ops::Range;

use bytemuck::NoUninit;

use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Array, Engine, Launch, Shader, Table};
use crate::error::Result;

/// The layout of a batch of pairwise problems: problem b has rows `rows[b]..rows[b+1]` and columns
/// `cols[b]..cols[b+1]` of arrays in which the problems lie one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Offsets of the rows; one more than there are problems.
    pub rows: Vec<usize>,
    /// Offsets of the columns; one more than there are problems.
    pub cols: Vec<usize>,
}

impl Blocks {
    /// One problem of `rows` by `cols`.
    pub fn single(rows: usize, cols: usize) -> Self {
        Self { rows: vec![0, rows], cols: vec![0, cols] }
    }

    /// Problems of these sizes, one after another.
    pub fn of(sizes: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut blocks = Self { rows: vec![0], cols: vec![0] };
        for (rows, cols) in sizes {
            blocks.rows.push(blocks.total_rows() + rows);
            blocks.cols.push(blocks.total_cols() + cols);
        }
        blocks
    }

    /// How many problems.
    pub fn count(&self) -> usize {
        self.rows.len() - 1
    }

    /// Rows of all problems together.
    pub fn total_rows(&self) -> usize {
        *self.rows.last().expect("offsets start with 0")
    }

    /// Columns of all problems together.
    pub fn total_cols(&self) -> usize {
        *self.cols.last().expect("offsets start with 0")
    }

    /// Rows and columns of one problem.
    pub fn size(&self, problem: usize) -> (usize, usize) {
        (self.rows[problem + 1] - self.rows[problem], self.cols[problem + 1] - self.cols[problem])
    }

    /// Pairs of all problems together.
    pub fn pairs(&self) -> u64 {
        (0..self.count())
            .map(|problem| {
                let (rows, cols) = self.size(problem);
                rows as u64 * cols as u64
            })
            .sum()
    }

    /// The same problems with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        Self { rows: self.cols.clone(), cols: self.rows.clone() }
    }

    /// First element of each problem's matrix where the matrices lie one after another.
    pub fn elements(&self) -> Vec<u64> {
        let mut offsets = vec![0];
        for problem in 0..self.count() {
            let (rows, cols) = self.size(problem);
            offsets.push(offsets[problem] + rows as u64 * cols as u64);
        }
        offsets
    }
}

/// One workgroup's part. The shaders' `Tile` has the same fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Tile {
    pub problem: u32,
    pub row_begin: u32,
    pub row_end: u32,
    pub col_begin: u32,
    pub col_end: u32,
    /// Which partial result it writes, where a problem takes several tiles.
    pub slot: u32,
    /// Place of the tile's first element in its window of the matrix.
    pub element: u32,
    /// Elements from one row to the next.
    pub stride: u32,
}

impl Tile {
    /// Tiles of up to `height` rows against all columns of their problem.
    pub(crate) fn of_rows(blocks: &Blocks, height: usize) -> Vec<Self> {
        let mut tiles = Vec::new();
        for problem in 0..blocks.count() {
            let end = blocks.rows[problem + 1];
            for row_begin in (blocks.rows[problem]..end).step_by(height) {
                tiles.push(Self {
                    problem: problem as u32,
                    row_begin: row_begin as u32,
                    row_end: (row_begin + height).min(end) as u32,
                    col_begin: blocks.cols[problem] as u32,
                    col_end: blocks.cols[problem + 1] as u32,
                    ..Self::default()
                });
            }
        }
        tiles
    }

    fn pairs(&self) -> f64 {
        f64::from(self.row_end - self.row_begin) * f64::from(self.col_end - self.col_begin)
    }
}

/// A list of tiles on a device, to be launched in stretches of bounded work.
pub(crate) struct Tiles {
    table: Table,
    /// Work of the tiles before each, and of all: to cut launches.
    work: Vec<f64>,
}

impl Tiles {
    pub(crate) fn new(engine: &Engine, tiles: &[Tile]) -> Result<Self> {
        let mut work = vec![0.0];
        for tile in tiles {
            work.push(work[work.len() - 1] + tile.pairs());
        }
        Ok(Self { table: engine.table("tiles", bytemuck::cast_slice(tiles))?, work })
    }

    pub(crate) fn len(&self) -> usize {
        self.work.len() - 1
    }

    /// Launches a kernel over the tiles of a range, in stretches of bounded work, so much of it a pair:
    /// `bindings` follow those of the tiles, and `params` makes the parameters from the first tile of a
    /// stretch and their number.
    pub(crate) fn launch<P: NoUninit>(
        &self,
        engine: &Engine,
        gpu: &Gpu,
        (shader, constants): (&'static Shader, &[(&'static str, u32)]),
        (range, work_per_pair): (Range<usize>, f64),
        bindings: &[Binding<'_>],
        params: impl Fn(u32, u32) -> P,
    ) -> Result<()> {
        let bindings = [&[self.table.buffer()?.into()], bindings].concat();
        let quantum = gpu.work_per_launch() / work_per_pair;
        for (first_tile, tiles, pairs) in self.stretches(range, quantum) {
            engine.launch(
                gpu,
                &Launch {
                    shader,
                    constants,
                    bindings: &bindings,
                    immediates: bytemuck::bytes_of(&params(first_tile, tiles)),
                    workgroups: u64::from(tiles),
                    work: pairs * work_per_pair,
                },
            )?;
        }
        Ok(())
    }

    /// Cuts `range` into stretches (first tile, tiles, work) of at most `quantum` work each, but
    /// at least one tile.
    fn stretches(&self, range: Range<usize>, quantum: f64) -> Vec<(u32, u32, f64)> {
        let mut stretches = Vec::new();
        let mut begin = range.start;
        while begin < range.end {
            let budget = self.work[begin] + quantum;
            let fitting = self.work[begin + 1..=range.end].partition_point(|&work| work <= budget);
            let end = begin + fitting.max(1);
            stretches.push((begin as u32, (end - begin) as u32, self.work[end] - self.work[begin]));
            begin = end;
        }
        stretches
    }
}

/// The parts of an array that belong to the problems of a batch that are running, by their offsets.
pub(crate) fn running_parts<'a>(
    mut array: &'a mut [f64],
    offsets: &[usize],
    running: &[f64],
) -> Vec<(usize, &'a mut [f64])> {
    let mut parts = Vec::with_capacity(running.len());
    for (problem, bounds) in offsets.windows(2).enumerate() {
        let (part, rest) = array.split_at_mut(bounds[1] - bounds[0]);
        array = rest;
        if running[problem] != 0.0 {
            parts.push((problem, part));
        }
    }
    parts
}

/// Which problems of a batch still run: 1 or 0 each.
pub(crate) fn all_running(engine: &Engine, problems: usize) -> Result<Array> {
    engine.filled("running", problems, 1.0)
}

/// The problem that each point of a batch belongs to.
pub(crate) fn problem_of_points(engine: &Engine, offsets: &[usize]) -> Result<Table> {
    let mut problems = Vec::with_capacity(*offsets.last().unwrap_or(&0));
    for (problem, bounds) in offsets.windows(2).enumerate() {
        problems.resize(bounds[1], problem as u32);
    }
    engine.table("problem of each point", &problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_every_tile_once_within_the_quantum() {
        let engine = Engine::cpu();
        let tiles: Vec<Tile> =
            (1..=9).map(|size| Tile { row_end: size, col_end: 10, ..Default::default() }).collect();
        let tiles = Tiles::new(&engine, &tiles).unwrap();
        let stretches = tiles.stretches(0..9, 100.0);
        let mut next = 0;
        for (first, count, work) in stretches {
            assert_eq!(first, next);
            assert!(count == 1 || work <= 100.0);
            next = first + count;
        }
        assert_eq!(next, 9);
    }

    #[test]
    fn blocks_know_their_sizes() {
        let blocks = Blocks::of([(2, 3), (4, 1)]);
        assert_eq!((blocks.count(), blocks.pairs()), (2, 10));
        assert_eq!(blocks.size(1), (4, 1));
        assert_eq!(blocks.elements(), [0, 6, 10]);
        assert_eq!(blocks.transposed().size(0), (3, 2));
    }
}
