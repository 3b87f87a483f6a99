//! Draws the shapes in `examples/shapes`: light on dark, anti-aliased, 8-bit grey PNG.
//!
//! Each shape is a test whether a point of the plane lies inside; `examples/shapes/README.md` has
//! the formulas. Run it with `cargo run --release --example draw_shapes`.

use std::f64::consts::{PI, TAU};
use std::path::Path;

use image::{GrayImage, ImageResult, Luma};

/// Whether the point `(x, y)` lies inside; x to the right, y up, the frame is `[-1, 1]` squared.
type Inside = fn(f64, f64) -> bool;

/// Name, test, and whether it is drawn at 256 pixels a side as well as at 128.
const SHAPES: [(&str, Inside, bool); 7] = [
    ("heart", heart, true),
    ("star", star, true),
    ("ring", ring, false),
    ("crescent", crescent, false),
    ("letter_g", letter_g, true),
    ("clover", clover, true),
    ("spiral", spiral, false),
];

/// Sample points per pixel along each side.
const SAMPLES: u32 = 16;

fn main() -> ImageResult<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shapes");
    for (name, inside, also_large) in SHAPES {
        draw(inside, 128).save(folder.join(format!("{name}.png")))?;
        if also_large {
            draw(inside, 256).save(folder.join(format!("{name}_256.png")))?;
        }
    }
    println!("drew {} shapes into {}", SHAPES.len(), folder.display());
    Ok(())
}

/// Each pixel is as bright as the share of its sample points that lie inside.
fn draw(inside: Inside, side: u32) -> GrayImage {
    let samples = side * SAMPLES;
    let position = |index: u32| (f64::from(index) + 0.5) / f64::from(samples) * 2.0 - 1.0;
    GrayImage::from_fn(side, side, |column, row| {
        let hits = (0..SAMPLES * SAMPLES)
            .filter(|sample| {
                let x = position(column * SAMPLES + sample % SAMPLES);
                let y = position(row * SAMPLES + sample / SAMPLES);
                inside(x, -y)
            })
            .count();
        Luma([(hits as f64 / f64::from(SAMPLES * SAMPLES) * 255.0).round() as u8])
    })
}

fn disc(x: f64, y: f64, centre: (f64, f64), radius: f64) -> bool {
    (x - centre.0).hypot(y - centre.1) <= radius
}

/// The sextic (x² + y² - 1)³ = x² y³.
fn heart(x: f64, y: f64) -> bool {
    let (x, y) = (x / 0.66, (y + 0.08) / 0.66);
    (x * x + y * y - 1.0).powi(3) <= x * x * y.powi(3)
}

/// Five points: in polar coordinates folded to a tenth of the circle, one straight edge from the
/// point at radius 0.8 to the notch at radius 0.36.
fn star(x: f64, y: f64) -> bool {
    let (point, notch) = (0.8, 0.36);
    let y = y + 0.06;
    let angle = ((x.atan2(y) + TAU) % (TAU / 5.0) - PI / 5.0).abs();
    let (along, across) = (x.hypot(y) * angle.cos(), x.hypot(y) * angle.sin());
    // The notch lies at angle 0, the point at angle π/5.
    let (point_along, point_across) = (point * (PI / 5.0).cos(), point * (PI / 5.0).sin());
    (along - notch) * point_across <= across * (point_along - notch)
}

/// The points between two circles.
fn ring(x: f64, y: f64) -> bool {
    disc(x, y, (0.0, 0.0), 0.72) && !disc(x, y, (0.0, 0.0), 0.42)
}

/// A disc without a smaller one to its right.
fn crescent(x: f64, y: f64) -> bool {
    disc(x, y, (0.06, 0.0), 0.74) && !disc(x, y, (0.34, 0.1), 0.56)
}

/// A stroke with round ends: an arc from 45° around the left to 360°, then a bar to the middle.
fn letter_g(x: f64, y: f64) -> bool {
    let (radius, half_width) = (0.58, 0.13);
    let angle = (y.atan2(x) + TAU) % TAU;
    let on_arc = angle >= PI / 4.0 && (x.hypot(y) - radius).abs() <= half_width;
    let tip = (radius * (PI / 4.0).cos(), radius * (PI / 4.0).sin());
    let bar = disc(x, y, (x.clamp(0.12, radius), 0.0), half_width);
    on_arc || bar || disc(x, y, tip, half_width)
}

/// Three discs around a fourth that closes the gap between them, and a stem that widens like a
/// parabola.
fn clover(x: f64, y: f64) -> bool {
    let y = y - 0.06;
    let leaf = |angle: f64| disc(x, y, (0.38 * angle.cos(), 0.38 * angle.sin()), 0.33);
    let stem = (-0.78..=0.0).contains(&y) && x.abs() <= 0.06 + 0.4 * y * y;
    let leaves = leaf(PI / 2.0) || leaf(PI * 7.0 / 6.0) || leaf(PI * 11.0 / 6.0);
    leaves || stem || disc(x, y, (0.0, 0.0), 0.2)
}

/// A stroke along the Archimedean spiral r = 0.28 θ / 2π over two and a half turns, round at both
/// ends.
fn spiral(x: f64, y: f64) -> bool {
    let (pitch, half_width, turns) = (0.28, 0.08, 2.5);
    let y = y + 0.07;
    let turn = y.atan2(x) / TAU;
    // The arm lies where the radius is pitch times (turn + n), n counting the times around.
    let at = ((x.hypot(y) / pitch - turn).round() + turn).clamp(0.0, turns);
    let on_arm = (x.hypot(y) - pitch * at).abs() <= half_width && at > 0.0 && at < turns;
    let end = (pitch * turns * (TAU * turns).cos(), pitch * turns * (TAU * turns).sin());
    on_arm || disc(x, y, (0.0, 0.0), half_width) || disc(x, y, end, half_width)
}
