//! What a run leaves behind: pictures and animations of densities, curves, and its record in JSON.

pub mod animation;
pub mod curves;
pub mod dynamic;
pub mod gromov;
pub mod heatmap;
mod letters;
pub mod mosaic;
pub mod paths;
pub mod picture;
pub mod record;
pub mod sound;
