//! Counts of genes in cells of five groups: the gamma-Poisson model that the R package Splatter
//! simulates groups with (Zappia, Phipson and Oshlack 2017), with its defaults but for the sizes,
//! and what becomes of them before distances are taken.

use gaspard::Result;
use gaspard::flat::Cloud;
use ndarray::{Array2, Axis};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, Gamma, LogNormal, Poisson};

use super::law;
use super::principal::components;

pub const GROUPS: usize = 5;
/// The share of cells that are of a group, and of genes that are expressed otherwise in it.
const SHARES: [f64; GROUPS] = [0.1, 0.35, 0.1, 0.35, 0.1];
const DIFFERENT: [f64; GROUPS] = [0.0, 0.0, 0.3, 0.3, 0.6];
/// The share of genes whose mean is far off the others.
const OUTLIERS: f64 = 0.05;
/// The dispersion that all genes have, and the degrees of freedom of what comes to it.
const DISPERSION: f64 = 0.1;
const FREEDOM: f64 = 60.0;
/// Counts of a cell are scaled to this sum before logarithms are taken.
const LIBRARY: f64 = 1e4;

/// Cells in the space of their first principal components.
pub struct Cells {
    /// The cells of every group, each of mass 1.
    pub groups: Vec<Cloud>,
    /// Genes whose variance is above their mean: the others are left out.
    pub genes: usize,
    /// The mean sum of a cell's counts.
    pub library: f64,
    /// The leading singular values, one more than there are components.
    pub singular_values: Vec<f64>,
}

/// So many cells with so many genes.
pub fn cells(
    random: &mut ChaCha8Rng,
    count: usize,
    genes: usize,
    dimension: usize,
) -> Result<Cells> {
    let (counts, group) = counts(random, count, genes)?;
    let libraries = counts.sum_axis(Axis(1));
    let variable = |gene: &usize| {
        let column = counts.column(*gene);
        column.var(1.0) > column.sum() / count as f64
    };
    let kept: Vec<usize> = (0..genes).filter(variable).collect();
    let mut values = counts.select(Axis(1), &kept);
    for (mut cell, library) in values.rows_mut().into_iter().zip(&libraries) {
        cell.mapv_inplace(|count| (count / library * LIBRARY).ln_1p());
    }
    for mut gene in values.columns_mut() {
        let mean = gene.sum() / count as f64;
        gene -= mean;
    }
    let (singular_values, scores) = components(random, &values, dimension + 1);
    let members = |wanted: usize| -> Vec<usize> {
        (0..count).filter(|&cell| group[cell] == wanted).collect()
    };
    let cloud = |wanted: usize| {
        let points = scores.select(Axis(0), &members(wanted));
        Cloud::counting("a group of cells", points.slice_move(ndarray::s![.., ..dimension]))
    };
    Ok(Cells {
        groups: (0..GROUPS).map(cloud).collect::<Result<_>>()?,
        genes: kept.len(),
        library: libraries.sum() / count as f64,
        singular_values,
    })
}

/// Counts (cells x genes), and the group of each cell.
fn counts(
    random: &mut ChaCha8Rng,
    count: usize,
    genes: usize,
) -> Result<(Array2<f64>, Vec<usize>)> {
    let profiles = profiles(random, genes)?;
    let chi = law(ChiSquared::new(FREEDOM))?;
    let spread: Vec<f64> = (0..genes).map(|_| (FREEDOM / chi.sample(random)).sqrt()).collect();
    let library = law(LogNormal::new(11.0, 0.2))?;
    let group: Vec<usize> = (0..count).map(|_| drawn(random)).collect();
    let mut counts = Array2::zeros((count, genes));
    for (mut cell, &group) in counts.rows_mut().into_iter().zip(&group) {
        let size = library.sample(random);
        for ((count, share), spread) in cell.iter_mut().zip(&profiles[group]).zip(&spread) {
            let mean = size * share;
            let variation = ((DISPERSION + 1.0 / mean.sqrt()) * spread).powi(2);
            let expected = law(Gamma::new(1.0 / variation, mean * variation))?.sample(random);
            // Far too little for a single count; Poisson's law wants more than nothing.
            if expected > 1e-12 {
                *count = law(Poisson::new(expected))?.sample(random);
            }
        }
    }
    Ok((counts, group))
}

/// The shares of genes in the counts of a cell, by group.
fn profiles(random: &mut ChaCha8Rng, genes: usize) -> Result<Vec<Vec<f64>>> {
    // Shape and scale: a rate of 0.3.
    let usual = law(Gamma::new(0.6, 1.0 / 0.3))?;
    let mut means: Vec<f64> = (0..genes).map(|_| usual.sample(random)).collect();
    let mut sorted = means.clone();
    sorted.sort_by(f64::total_cmp);
    let median = 0.5 * (sorted[(genes - 1) / 2] + sorted[genes / 2]);
    let factor = law(LogNormal::new(4.0, 0.5))?;
    for mean in &mut means {
        if random.random_bool(OUTLIERS) {
            *mean = median * factor.sample(random);
        }
    }
    let change = law(LogNormal::new(0.1, 0.4))?;
    let profile = |share: &f64| {
        let mut profile: Vec<f64> =
            means.iter().map(|mean| mean * fold(random, *share, &change)).collect();
        let total: f64 = profile.iter().sum();
        profile.iter_mut().for_each(|mean| *mean /= total);
        profile
    };
    Ok(DIFFERENT.iter().map(profile).collect())
}

/// What a group multiplies a gene's mean with: up or down with the same probability.
fn fold(random: &mut impl Rng, share: f64, change: &LogNormal<f64>) -> f64 {
    if !random.random_bool(share) {
        return 1.0;
    }
    let factor = change.sample(random);
    let up = random.random_bool(0.5);
    // Factors below 1 are taken the other way round.
    if up == (factor >= 1.0) { factor } else { 1.0 / factor }
}

fn drawn(random: &mut impl Rng) -> usize {
    let mut left = random.random::<f64>();
    let inside = |share: &f64| {
        left -= share;
        left < 0.0
    };
    SHARES.iter().position(inside).unwrap_or(GROUPS - 1)
}
