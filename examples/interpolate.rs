//! Interpolates between two shipped shapes and writes the frames as a strip.
//!
//! `cargo run --release --example interpolate`

use gaspard::io::image::{Mass, read_density};
use gaspard::report::picture::{Style, strip, write_png};
use gaspard::{Barycenter, Engine, Measure, Result};
use ndarray::Array2;

fn main() -> Result<()> {
    let shape = |name: &str| -> Result<Measure> {
        let path = format!("{}/examples/shapes/{name}.png", env!("CARGO_MANIFEST_DIR"));
        Ok(Measure::density(name, read_density(path, Mass::Light)?.into_dyn().view())?.normalised())
    };
    let (ring, clover) = (shape("ring")?, shape("clover")?);
    let engine = Engine::auto();
    println!("on {}", engine.description());
    let frames =
        Barycenter::of(&[&ring, &clover]).epsilon(1e-3).solve_frames(5, &engine, &mut ())?;
    let mut pictures = Vec::new();
    for frame in &frames {
        println!(
            "value {:.6}, {} iterations, marginal error {:.1e}, {:.2} s",
            frame.terms.total(),
            frame.outcome.iterations,
            frame.marginal_error,
            frame.outcome.seconds
        );
        let side = 128;
        let picture = Array2::from_shape_fn((side, side), |(i, j)| frame.weights[i * side + j]);
        pictures.push(picture);
    }
    write_png("interpolate.png", &strip(&pictures, &Style::default())?)?;
    println!("wrote interpolate.png");
    Ok(())
}
