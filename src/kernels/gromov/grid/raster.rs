//! Which point lies in which cell of a grid.

use std::collections::HashSet;
use std::ops::Range;

use crate::engine::{Engine, Table};
use crate::error::{Error, Result};
use crate::kernels::index;

/// In place of a point: the cell has none.
pub(crate) const NONE: u32 = u32::MAX;

/// The part of a grid that has points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
}

impl Window {
    /// The smallest one that holds all cells, given by their places in row-major order.
    ///
    /// # Errors
    /// [`Error::Data`] for no cells, cells outside the grid, or two points in one.
    pub(crate) fn around(shape: [usize; 2], cells: Option<&[usize]>) -> Result<Self> {
        let [rows, cols] = shape;
        let wrong = |problem: String| {
            Err(Error::data("the points on a grid", problem, "give each point a cell of its own"))
        };
        let count = rows * cols;
        let Some(cells) = cells.filter(|_| count > 0) else {
            return match count {
                0 => wrong(format!("the grid has {rows} x {cols} cells")),
                _ => Ok(Self { rows: 0..rows, cols: 0..cols }),
            };
        };
        if let Some(outside) = cells.iter().find(|cell| **cell >= count) {
            return wrong(format!("cell {outside} is outside a grid of {rows} x {cols}"));
        }
        if cells.iter().collect::<HashSet<_>>().len() < cells.len() {
            return wrong("two of them are in the same cell".to_owned());
        }
        let span = |places: &dyn Fn(usize) -> usize| {
            let places = || cells.iter().map(|&cell| places(cell));
            Some(places().min()?..places().max()? + 1)
        };
        match (span(&|cell| cell / cols), span(&|cell| cell % cols)) {
            (Some(rows), Some(cols)) => Ok(Self { rows, cols }),
            _ => wrong("there are none".to_owned()),
        }
    }
}

/// The cells of a window of a grid, and their points.
pub(crate) struct Raster {
    rows: usize,
    cols: usize,
    points: usize,
    /// The point of every cell, or [`NONE`].
    point_of_cell: Table,
    /// Bounds of the points of every row.
    spans: Vec<Range<usize>>,
}

impl Raster {
    /// For cells that [`Window::around`] has seen.
    pub(crate) fn new(
        engine: &Engine,
        shape: [usize; 2],
        cells: Option<&[usize]>,
        window: &Window,
    ) -> Result<Self> {
        let points = cells.map_or(shape[0] * shape[1], <[usize]>::len);
        let (rows, cols) = (window.rows.len(), window.cols.len());
        let mut point_of_cell = vec![NONE; rows * cols];
        // Nothing so far: the span from after the last point to the first.
        let nothing = Range { start: usize::MAX, end: 0 };
        let mut spans = vec![nothing; rows];
        for point in 0..points {
            let cell = cells.map_or(point, |cells| cells[point]);
            let (row, col) =
                (cell / shape[1] - window.rows.start, cell % shape[1] - window.cols.start);
            point_of_cell[row * cols + col] = index("the points", point)?;
            spans[row] = spans[row].start.min(point)..spans[row].end.max(point + 1);
        }
        let point_of_cell = engine.table("points of cells", &point_of_cell)?;
        Ok(Self { rows, cols, points, point_of_cell, spans })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(window: &Window) -> u64 {
        4 * window.rows.len() as u64 * window.cols.len() as u64
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    pub(crate) fn points(&self) -> usize {
        self.points
    }

    pub(crate) fn point_of_cell(&self) -> &Table {
        &self.point_of_cell
    }

    /// The points of every row that has some, by place in the row, in order; on the CPU.
    pub(crate) fn points_of_row(
        &self,
        row: usize,
    ) -> Result<impl Iterator<Item = (usize, usize)> + '_> {
        let points = &self.point_of_cell.host()?[row * self.cols..][..self.cols];
        let present = points.iter().enumerate().filter(|(_, point)| **point != NONE);
        Ok(present.map(|(x, &point)| (x, point as usize)))
    }

    /// Bands of rows, with bounds of their points, so that those of a band are at most so many,
    /// or the band is a single row. Short where points are in the order of their cells.
    pub(crate) fn bands(&self, most: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let mut bands: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (row, span) in self.spans.iter().enumerate().filter(|(_, span)| !span.is_empty()) {
            if let Some((rows, points)) = bands.last_mut() {
                let joined = points.start.min(span.start)..points.end.max(span.end);
                if joined.len() <= most {
                    (*rows, *points) = (rows.start..row + 1, joined);
                    continue;
                }
                // Rows without points belong to the band before: their lines are zero.
                rows.end = row;
            }
            bands.push((row..row + 1, span.clone()));
        }
        bands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_tight() {
        let window = Window::around([5, 4], Some(&[14, 5, 10])).unwrap();
        assert_eq!(window, Window { rows: 1..4, cols: 1..3 });
        assert_eq!(Window::around([2, 3], None).unwrap(), Window { rows: 0..2, cols: 0..3 });
    }

    #[test]
    fn cells_that_cannot_be_are_refused() {
        assert!(Window::around([2, 3], Some(&[6])).is_err());
        assert!(Window::around([2, 3], Some(&[1, 1])).is_err());
        assert!(Window::around([2, 3], Some(&[])).is_err());
        assert!(Window::around([0, 3], None).is_err());
        assert!(Window::around([0, 3], Some(&[0])).is_err());
    }

    #[test]
    fn bands_cover_every_row() {
        let engine = Engine::cpu();
        let cells = [0, 1, 2, 3, 4, 12, 13, 15, 14];
        let window = Window::around([4, 4], Some(&cells)).unwrap();
        let raster = Raster::new(&engine, [4, 4], Some(&cells), &window).unwrap();
        assert_eq!(raster.bands(9), [(0..4, 0..9)]);
        assert_eq!(raster.bands(5), [(0..3, 0..5), (3..4, 5..9)]);
        assert_eq!(raster.bands(1), [(0..1, 0..4), (1..3, 4..5), (3..4, 5..9)]);
    }
}
