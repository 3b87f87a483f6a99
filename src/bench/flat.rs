//! The flat metric: whole solves, bounds within 1 % of the value, the exact one beside them, and networks.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::error::Result;
use crate::flat::neural::Training;
use crate::flat::{Bracket, Cloud, Sinkhorn, exact};

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let (points, clouds, each) = match (context.scale, context.quick) {
        (Scale::Software, _) => (64, 3, 32),
        (Scale::Cpu, true) => (500, 6, 200),
        (_, true) => (2000, 20, 500),
        (Scale::Cpu, false) => (2000, 10, 500),
        (Scale::Gpu, false) => (20_000, 50, 500),
    };
    let against = points.min(4000);
    vec![
        Case::new("flat sinkhorn, a pair", move |context| pair(context, points)),
        Case::new("flat sinkhorn, pairwise", move |context| pairwise(context, clouds, each)),
        Case::new("flat exact", move |_| simplex(against)),
        Case::new("flat paper", move |context| networks(context, &Training::paper())),
        Case::new("flat tight", move |context| networks(context, &Training::tight())),
    ]
}

/// Networks on 200 and 120 points in five dimensions. What an epoch cannot do without: a product of
/// points and weights forward, one for the gradient of the weights, and one for that of the points.
fn networks(context: &Context<'_>, training: &Training) -> Result<Timed> {
    const EPOCHS_OF_A_DISTANCE: usize = 1500;
    let (pairs, epochs) = match (context.scale, context.quick) {
        (Scale::Software, _) => (2, 5),
        (Scale::Cpu, quick) => (4, if quick { 50 } else { 200 }),
        (Scale::Gpu, quick) => (1024, if quick { 200 } else { EPOCHS_OF_A_DISTANCE }),
    };
    let spread = |seed, count, shift: f64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let points = Array2::from_shape_simple_fn((count, 5), || random.random_range(0.0..1.0));
        Cloud::counting("a cloud", points + shift)
    };
    let (a, b) = (spread(1, 200, 0.0)?, spread(2, 120, 0.3)?);
    let list = vec![(&a, &b); pairs];
    let training = training.clone().epochs(epochs);
    let mut seconds = Vec::new();
    // The first one compiles.
    for _ in 0..4 {
        seconds.push(clock::seconds(context.engine, || {
            training.solve_batch(&list, context.engine, &mut ()).map(|_| ())
        })?);
    }
    let weights = 5 * 64 + 64 * 64 + 64;
    let work = (pairs * epochs * 320 * weights) as f64;
    let counts = Counts { exponentials: 0.0, bytes: 0.0, flops: 6.0 * work };
    let seconds = seconds.split_off(1);
    let a_second = (pairs * epochs) as f64 / clock::median(&seconds) / EPOCHS_OF_A_DISTANCE as f64;
    let size = format!("{pairs} of 320 points ({a_second:.2} distances/s of 1500 epochs)");
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// Points around (shift, 0): uniform on a square of side 4.
fn cloud(seed: u64, count: usize, shift: f64) -> Result<Cloud> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let points = Array2::from_shape_fn((count, 2), |(_, axis)| {
        random.random_range(-2.0..2.0) + if axis == 0 { shift } else { 0.0 }
    });
    Cloud::counting("a cloud", points)
}

/// A cloud against another of half its mass.
fn halves(points: usize) -> Result<[Cloud; 2]> {
    Ok([cloud(1, points, 0.0)?, cloud(2, points / 2, 1.0)?])
}

fn pair(context: &Context<'_>, points: usize) -> Result<Timed> {
    let [a, b] = halves(points)?;
    let (counts, seconds) = solves(context, &[(&a, &b)])?;
    Ok(Timed { size: format!("{points} x {}", points / 2), counts: Some(counts), seconds })
}

fn pairwise(context: &Context<'_>, clouds: usize, points: usize) -> Result<Timed> {
    let clouds = (0..clouds)
        .map(|seed| cloud(seed as u64, points, 0.1 * seed as f64))
        .collect::<Result<Vec<_>>>()?;
    let pairs: Vec<_> = (0..clouds.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| (&clouds[i], &clouds[j]))
        .collect();
    let (counts, seconds) = solves(context, &pairs)?;
    let a_second = pairs.len() as f64 / clock::median(&seconds);
    let size = format!("{} of {points} x {points} ({a_second:.1} distances/s)", pairs.len());
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// Seconds of whole solves, and what their iterations cannot do without; bounds come on top.
fn solves(context: &Context<'_>, pairs: &[(&Cloud, &Cloud)]) -> Result<(Counts, Vec<f64>)> {
    let mut found: Vec<Bracket> = Vec::new();
    let mut seconds = Vec::new();
    // The first one compiles.
    for _ in 0..4 {
        seconds.push(clock::seconds(context.engine, || {
            found = Sinkhorn::new().solve_batch(pairs, context.engine, &mut ())?;
            Ok(())
        })?);
    }
    let exponentials = pairs.iter().zip(&found).map(|((a, b), found)| {
        2.0 * (a.weights().len() * b.weights().len() * found.outcome.iterations) as f64
    });
    let exponentials: f64 = exponentials.sum();
    let counts = Counts { exponentials, bytes: 0.0, flops: 8.0 * exponentials };
    Ok((counts, seconds.split_off(1)))
}

/// Always on the CPU, on one core.
fn simplex(points: usize) -> Result<Timed> {
    let [a, b] = halves(points)?;
    let mut seconds = Vec::new();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        exact(&a, &b, &mut || false)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let size = format!("{points} x {}, one core", points / 2);
    Ok(Timed { size, counts: None, seconds })
}
