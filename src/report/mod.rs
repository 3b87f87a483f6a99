//! What a run leaves behind: pictures and animations of densities, curves, and its record in JSON.

pub mod animation;
pub mod curves;
pub mod delays;
pub mod dynamic;
pub mod flat;
pub mod gromov;
pub mod heatmap;
mod letters;
pub mod mosaic;
pub mod paths;
pub mod picture;
pub mod record;
pub mod sound;
