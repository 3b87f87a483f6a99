// One workgroup's part of a batch of pairwise problems; `kernels/tiles.rs` makes the lists.
struct Tile {
    problem: u32,
    row_begin: u32,
    row_end: u32,
    col_begin: u32,
    col_end: u32,
    slot: u32,    // which partial result it writes, where an output takes several tiles
    element: u32, // place of its first cost in the window of the matrix
    stride: u32,  // costs from one row to the next
}
