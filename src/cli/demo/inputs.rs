//! Shapes that come with the program, and clouds from a seed.

use std::path::Path;

use gaspard::io::npy;
use gaspard::{Error, Result};
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::cli::outputs;

macro_rules! shapes {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("../../../examples/shapes/", $name, ".png")).as_slice())),*]
    };
}

/// Leaves all inputs in `inputs` within the folder.
pub(super) fn draw(folder: &Path) -> Result<()> {
    let folder = folder.join("inputs");
    outputs::make_folder(&folder)?;
    for (name, bytes) in shapes!["heart", "star", "ring", "clover", "letter_g"] {
        let path = folder.join(format!("{name}.png"));
        let failed = |error: &dyn std::fmt::Display| {
            Error::file(&path, format!("cannot be written: {error}"))
        };
        std::fs::write(&path, bytes).map_err(|error| failed(&error))?;
        if name == "letter_g" {
            let shape = image::load_from_memory(bytes).map_err(|error| failed(&error))?;
            let turned = shape.rotate90();
            turned.save(folder.join("letter_g_turned.png")).map_err(|error| failed(&error))?;
        }
    }
    // A cloud, and one of less mass in two parts.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let cloud_a = cloud(&mut random, &[([-1.0, 0.0], 0.6, 200)]);
    let cloud_b = cloud(&mut random, &[([0.8, 0.5], 0.5, 80), ([0.6, -1.4], 0.3, 50)]);
    npy::write(folder.join("cloud_a.npy"), cloud_a.view().into_dyn())?;
    npy::write(folder.join("cloud_b.npy"), cloud_b.view().into_dyn())
}

/// Points around centres: (centre, deviation, how many).
fn cloud(random: &mut ChaCha8Rng, parts: &[([f64; 2], f64, usize)]) -> Array2<f64> {
    let mut numbers = Vec::new();
    for (centre, deviation, count) in parts {
        for _ in 0..*count {
            for place in centre {
                let normal: f64 = StandardNormal.sample(random);
                numbers.push(place + deviation * normal);
            }
        }
    }
    Array2::from_shape_vec((numbers.len() / 2, 2), numbers).expect("two numbers a point")
}
