//! The eigenvalues of the Laplacian of a grid in space and time.

use std::f64::consts::PI;

use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::dynamic::SpaceTime;
use crate::kernels::dynamic::cosine::Axis;
use crate::kernels::dynamic::cosine::lanes::{LANES, Numbers};

/// What the cosine coefficients of some fields are divided by: in space Lx + shift for all, in time
/// m Lt for the first of m fields.
pub(crate) struct Spectrum {
    fields: usize,
    /// Lx + shift of every place, rounded from f64.
    pub space: Array,
    /// m Lt of every frequency in time.
    pub time: Array,
    /// True without a shift: then the operator is zero where Lx is, if Lt is zero too or does not
    /// count.
    pub balanced: bool,
}

/// The same on the CPU.
pub(crate) struct HostSpectrum<'a> {
    fields: usize,
    space: &'a [f64],
    time: &'a [f64],
    balanced: bool,
}

impl Spectrum {
    /// `rates` are cells per unit along every axis, time first.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] where there is not the memory.
    pub(crate) fn new(
        engine: &Engine,
        grid: &SpaceTime,
        rates: &[f64],
        fields: usize,
        shift: f64,
    ) -> Result<Self> {
        let mut space = vec![shift];
        for (&length, &rate) in grid.space.iter().zip(&rates[1..]) {
            let along = eigenvalues(length, rate);
            space = space.iter().flat_map(|sum| along.iter().map(move |own| sum + own)).collect();
        }
        let time: Vec<f64> =
            eigenvalues(grid.time, rates[0]).iter().map(|own| fields as f64 * own).collect();
        Ok(Self {
            fields,
            space: engine.upload("eigenvalues in space", &space)?,
            time: engine.upload("eigenvalues in time", &time)?,
            balanced: shift == 0.0,
        })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(engine: &Engine, grid: &SpaceTime) -> u64 {
        (grid.places() + grid.time) as u64 * engine.bytes_per_number()
    }

    /// The lines along time of the coefficients that it belongs to.
    pub(crate) fn axis(&self) -> Axis {
        Axis { outer: self.fields, length: self.time.len(), inner: self.space.len() }
    }

    pub(crate) fn host(&self) -> Result<HostSpectrum<'_>> {
        let Self { fields, balanced, .. } = *self;
        Ok(HostSpectrum { fields, space: self.space.host()?, time: self.time.host()?, balanced })
    }
}

/// 4 rate² sin²(pi k / 2 N) for all k; 2 - 2 cos would lose the smallest ones to rounding.
fn eigenvalues(length: usize, rate: f64) -> Vec<f64> {
    let sine = |k: usize| (PI * k as f64 / (2 * length) as f64).sin();
    (0..length).map(|k| 4.0 * (rate * sine(k)).powi(2)).collect()
}

impl HostSpectrum<'_> {
    /// What a coefficient is multiplied by: zero where the operator is.
    pub(crate) fn inverse(&self, field: usize, frequency: usize, place: usize) -> f64 {
        if self.balanced && place == 0 && (field > 0 || frequency == 0) {
            return 0.0;
        }
        let time = if field == 0 { self.time[frequency] } else { 0.0 };
        1.0 / (self.space[place] + time)
    }

    /// Divides the coefficients of a band of lines along time; `first_line` is a field's place.
    pub(crate) fn divide_lanes(&self, first_line: usize, band: &mut [Numbers]) {
        let places = self.space.len();
        // Lines beyond the last are zero whatever they are divided by.
        let line = |lane: usize| (first_line + lane).min(self.fields * places - 1);
        let space: [f64; 2 * LANES] = std::array::from_fn(|lane| self.space[line(lane) % places]);
        let weight: [f64; 2 * LANES] =
            std::array::from_fn(|lane| if line(lane) < places { 1.0 } else { 0.0 });
        for (numbers, time) in band.iter_mut().zip(self.time) {
            for lane in 0..LANES {
                numbers.re[lane] /= space[lane] + weight[lane] * time;
                numbers.im[lane] /= space[lane + LANES] + weight[lane + LANES] * time;
            }
        }
        for lane in (0..2 * LANES).filter(|&lane| self.balanced && line(lane) % places == 0) {
            let resting = if line(lane) == 0 { 1 } else { band.len() };
            for numbers in &mut band[..resting] {
                let part = if lane < LANES { &mut numbers.re } else { &mut numbers.im };
                part[lane % LANES] = 0.0;
            }
        }
    }
}
