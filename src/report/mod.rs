//! What people look at: pictures and animations of densities.

pub mod animation;
pub mod picture;
