//! The panels that stored matrices are walked in, where they are larger than a binding.

use std::ops::Range;

use bytemuck::NoUninit;

use super::tiles::{Blocks, Tile, Tiles};
use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Array, Engine, Shader};
use crate::error::{Error, Result};

/// Stretches of a matrix's rows, each small enough for one binding, and the tiles of each.
pub(crate) struct Panels {
    tiles: Tiles,
    panels: Vec<Panel>,
    /// Slots of partial results that any column needs.
    pub slots: u32,
}

/// One binding's worth of rows.
pub(crate) struct Panel {
    first_byte: u64,
    bytes: u64,
    tiles: Range<usize>,
}

impl Panel {
    /// The part of the costs that this panel's tiles read.
    pub(crate) fn window<'a>(&self, costs: &'a Array) -> Result<Binding<'a>> {
        Ok(Binding {
            buffer: costs.buffer()?,
            offset: self.first_byte,
            bytes: Some(self.bytes.max(4)),
        })
    }
}

impl Panels {
    /// Cuts a batch of matrices into panels. `tile(problem, rows, slot)` lists the tiles of a
    /// stretch of (global) rows; their places in the window are filled in here, and their slots
    /// count from the first slot that the problem has not used.
    pub(crate) fn new(
        engine: &Engine,
        gpu: &Gpu,
        blocks: &Blocks,
        tile: impl Fn(usize, Range<usize>, u32) -> Vec<Tile>,
    ) -> Result<Self> {
        let limit = gpu.max_binding_bytes() / 4;
        let alignment = gpu.binding_alignment() / 4;
        let elements = blocks.elements();
        let mut panels: Vec<Panel> = Vec::new();
        let mut all = Vec::new();
        let mut slots = 1;
        let mut window_begin = 0;
        for (problem, &first_element) in elements[..blocks.count()].iter().enumerate() {
            let (rows, columns) = blocks.size(problem);
            if rows == 0 || columns == 0 {
                continue;
            }
            let stride = columns as u64;
            // A window begins where the device lets it, before the row.
            let needed = stride + alignment - 1;
            if needed > limit {
                return Err(Error::Limit {
                    what: "one row of the cost matrix".to_owned(),
                    needed: needed * 4,
                    available: limit * 4,
                    remedy: "exchange rows and columns, or use points".to_owned(),
                });
            }
            let mut slot = 0;
            let mut row = 0;
            while row < rows {
                let begin = first_element + row as u64 * stride;
                let room = (window_begin + limit).saturating_sub(begin) / stride;
                if panels.is_empty() || room == 0 {
                    // A new panel, from the last place that a binding may start at.
                    window_begin = begin - begin % alignment;
                    panels.push(Panel {
                        first_byte: window_begin * 4,
                        bytes: 0,
                        tiles: all.len()..all.len(),
                    });
                    continue;
                }
                let end = rows.min(row + room as usize);
                let offset = blocks.rows[problem];
                for mut tile in tile(problem, offset + row..offset + end, slot) {
                    let tile_row = u64::from(tile.row_begin) - offset as u64;
                    let tile_column = u64::from(tile.col_begin) - blocks.cols[problem] as u64;
                    let element = first_element + tile_row * stride + tile_column;
                    tile.element = (element - window_begin) as u32;
                    tile.stride = columns as u32;
                    slots = slots.max(tile.slot + 1);
                    all.push(tile);
                }
                slot = all.last().map_or(slot, |tile: &Tile| tile.slot + 1);
                let panel = panels.last_mut().expect("pushed above");
                panel.tiles.end = all.len();
                panel.bytes = (first_element + end as u64 * stride - window_begin) * 4;
                row = end;
            }
        }
        Ok(Self { tiles: Tiles::new(engine, &all)?, panels, slots })
    }

    /// Launches a kernel over all tiles, panel by panel and in stretches of bounded work: `bindings` of a
    /// panel follow those of the tiles, and `params` makes the parameters from the first tile of a
    /// stretch and their number.
    pub(crate) fn launch<'a, P: NoUninit>(
        &'a self,
        engine: &Engine,
        gpu: &Gpu,
        kernel: (&'static Shader, &[(&'static str, u32)]),
        bindings: impl Fn(&Panel) -> Result<Vec<Binding<'a>>>,
        params: impl Fn(u32, u32) -> P,
    ) -> Result<()> {
        for panel in &self.panels {
            let share = (panel.tiles.clone(), 1.0);
            self.tiles.launch(engine, gpu, kernel, share, &bindings(panel)?, &params)?;
        }
        Ok(())
    }
}
