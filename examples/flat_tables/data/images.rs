//! Pictures like those of three classes of DOTmark (Schrieber, Schuhmacher and Gottschlich 2017).

use std::f64::consts::{PI, TAU};

use gaspard::Result;
use gaspard::flat::Cloud;
use ndarray::Array2;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// The smoothness and the range of the field.
const NU: f64 = 1.0;
const RANGE: f64 = 0.15;
/// Levels of brightness; what is in the lowest has no mass.
const LEVELS: f64 = 9.0;
/// The side of a picture, in units in which nothing moves further than 2.
const SIDE: f64 = 4.0;

#[derive(Clone, Copy, Debug)]
pub enum Class {
    GaussianField,
    Cauchy,
    Shapes,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::GaussianField, Self::Cauchy, Self::Shapes];

    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianField => "GRFmoderate",
            Self::Cauchy => "CauchyDensity",
            Self::Shapes => "Shapes",
        }
    }

    /// The picture with this number, of `side` x `side` pixels, in 0, 1, ..., 255.
    pub fn draw(self, random: &mut ChaCha8Rng, side: usize, index: usize) -> Array2<f64> {
        let values = match self {
            Self::GaussianField => gaussian_field(random, side),
            Self::Cauchy => cauchy(random, side),
            Self::Shapes => shape(random, side, index),
        };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        values.mapv(|value| (255.0 * (value - low) / (high - low)).round())
    }
}

/// Where pixels are.
pub fn place(side: usize, row: usize, column: usize) -> [f64; 2] {
    [column, row].map(|index| SIDE * (index as f64 + 0.5) / side as f64)
}

/// Points in place of pixels: black ones have no mass, white ones eight.
pub fn cloud(picture: &Array2<f64>) -> Result<Cloud> {
    let mut points = Vec::new();
    let mut masses = Vec::new();
    for ((row, column), value) in picture.indexed_iter() {
        let mass = (LEVELS * value / 256.0).floor();
        if mass > 0.0 {
            points.push(place(picture.nrows(), row, column));
            masses.push(mass);
        }
    }
    Cloud::new("a picture", points.into(), masses.into())
}

fn from_centres(side: usize, value: impl Fn([f64; 2]) -> f64) -> Array2<f64> {
    let centre = |index: usize| (index as f64 + 0.5) / side as f64;
    Array2::from_shape_fn((side, side), |(row, column)| value([centre(column), centre(row)]))
}

/// A stationary field with the spectral density (1 + (l k)² / (2 nu))^-(nu + 1) of a Matérn
/// covariance, on a torus of twice the side.
fn gaussian_field(random: &mut ChaCha8Rng, side: usize) -> Array2<f64> {
    let wide = 2 * side;
    let wave = |index: usize| PI * (index as f64 - if index > side { wide as f64 } else { 0.0 });
    let mut rows: Vec<Vec<Complex<f64>>> = (0..wide)
        .map(|i| {
            let amplitude = |j: usize| {
                let square = wave(i).powi(2) + wave(j).powi(2);
                let density = (1.0 + RANGE * RANGE * square / (2.0 * NU)).powf(-(NU + 1.0));
                let [re, im]: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(random));
                Complex::new(re, im) * density.sqrt()
            };
            (0..wide).map(amplitude).collect()
        })
        .collect();
    let transform = FftPlanner::new().plan_fft_forward(wide);
    rows.iter_mut().for_each(|row| transform.process(row));
    let mut columns: Vec<Vec<Complex<f64>>> =
        (0..side).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
    columns.iter_mut().for_each(|column| transform.process(column));
    Array2::from_shape_fn((side, side), |(i, j)| columns[j][i].re)
}

/// A density of Cauchy's with a random centre and ellipse.
fn cauchy(random: &mut impl Rng, side: usize) -> Array2<f64> {
    let centre = [(); 2].map(|()| random.random::<f64>());
    let turn = Turn::new(random);
    let scales = [(); 2].map(|()| random.random_range(f64::ln(0.05)..f64::ln(0.3)).exp());
    from_centres(side, |x| {
        let [u, v] = turn.around(centre, x);
        (1.0 + (u / scales[0]).powi(2) + (v / scales[1]).powi(2)).powf(-1.5)
    })
}

/// A disc, a rectangle, a triangle, a ring or a cross.
fn shape(random: &mut impl Rng, side: usize, index: usize) -> Array2<f64> {
    let centre = [(); 2].map(|()| random.random_range(0.35..0.65));
    let radius = random.random_range(0.15..0.32);
    let turn = Turn::new(random);
    from_centres(side, |x| {
        let [u, v] = turn.around(centre, x).map(|part| part / radius);
        let length = u.hypot(v);
        let inside = match index % 5 {
            0 => length <= 1.0,
            1 => u.abs() <= 1.0 && v.abs() <= 0.6,
            // Its corners are on the circle of this radius.
            2 => (0..3).all(|k| {
                let angle = TAU * f64::from(k) / 3.0;
                u * angle.cos() + v * angle.sin() <= 0.5
            }),
            3 => (f64::sqrt(0.4)..=1.0).contains(&length),
            _ => u.abs().max(v.abs()) <= 1.0 && u.abs().min(v.abs()) <= 0.3,
        };
        f64::from(u8::from(inside))
    })
}

/// A rotation by a random angle.
struct Turn {
    sin: f64,
    cos: f64,
}

impl Turn {
    fn new(random: &mut impl Rng) -> Self {
        let (sin, cos) = random.random_range(0.0..PI).sin_cos();
        Self { sin, cos }
    }

    fn around(&self, centre: [f64; 2], x: [f64; 2]) -> [f64; 2] {
        let [u, v] = [x[0] - centre[0], x[1] - centre[1]];
        [self.cos * u + self.sin * v, self.cos * v - self.sin * u]
    }
}
