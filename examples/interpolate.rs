//! Interpolates between two shipped shapes and writes a strip of the frames.
//!
//! `cargo run --release --example interpolate`

use gaspard::io::image::{Mass, read_density};
use gaspard::report::picture::{Style, strip, write_png};
use gaspard::{Barycenter, Engine, Measure, Progress};
use ndarray::Array2;
use std::ops::ControlFlow;

fn main() -> gaspard::Result<()> {
    let shape = |name: &str| -> gaspard::Result<Measure> {
        let path = format!("{}/examples/shapes/{name}.png", env!("CARGO_MANIFEST_DIR"));
        Ok(Measure::density(name, read_density(path, Mass::Light)?.into_dyn().view())?.normalised())
    };
    let (heart, star) = (shape("heart")?, shape("star")?);
    let engine = Engine::auto()?;
    println!("on {}", engine.description());
    for debiased in [false, true] {
        for epsilon in [1e-3] {
            let mut seen = 0;
            let mut observer = |p: &Progress| {
                seen += 1;
                if seen % 5 == 0 {
                    eprintln!("{p:?}");
                }
                ControlFlow::Continue(())
            };
            let frames = Barycenter::of(&[&heart, &star]).epsilon(epsilon).debiased(debiased);
            let frames = frames.solve_frames(3, &engine, &mut observer)?;
            for frame in &frames {
                println!(
                    "{debiased} {epsilon} iterations {} error {:.1e} value {:.6} linear {:.6} {:.2} s {:?}",
                    frame.iterations,
                    frame.marginal_error,
                    frame.terms.total(),
                    frame.terms.linear,
                    frame.seconds,
                    frame.trace.last()
                );
            }
            let images: Vec<Array2<f64>> = frames
                .iter()
                .map(|frame| Array2::from_shape_vec((128, 128), frame.weights.to_vec()).unwrap())
                .collect();
            write_png(
                format!("/tmp/strip_{debiased}_{epsilon}.png"),
                &strip(&images, &Style::default())?,
            )?;
        }
    }
    Ok(())
}
