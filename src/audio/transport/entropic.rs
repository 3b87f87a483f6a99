//! Plans by Sinkhorn's iteration, on the engine: all plans and frequencies at once.

use super::band::Band;
use super::planner::{Planner, Report};
use super::scene::Scene;
use crate::engine::{Array, Backend, Engine};
use crate::error::Result;
use crate::kernels::audio::band_sinkhorn::band_sinkhorn;
use crate::kernels::audio::lag_profile::LagProfile;
use crate::kernels::audio::star_sinkhorn::{messages, star_sinkhorn};
use crate::kernels::audio::{ACCOUNT, Extent, LagRow, LagTable, Marginal, Operands, Rounds};
use crate::linear::Law;
use crate::observer::Observer;

/// Plans between two microphones have one kernel for all sources together, those of more
/// microphones one for every source and leaf.
pub(super) struct Entropic<'a> {
    engine: &'a Engine,
    extent: Extent,
    law: Law,
    outlier: Option<f64>,
    iterations: usize,
    columns: Array,
    masses: Array,
    scalings: Array,
    messages: Array,
    stage: Option<Stage>,
}

/// What depends on epsilon.
struct Stage {
    band: Band,
    fresh: bool,
    lags: LagTable,
    profiles: Array,
    sums: LagProfile,
}

/// Kernels, each of its own or of all sources together, for which lags are listed.
fn rows_per_plan(microphones: usize, sources: usize) -> usize {
    if microphones == 2 { 1 } else { sources * (microphones - 1) }
}

impl<'a> Entropic<'a> {
    /// Room for so many plans of scenes of one shape.
    pub(super) fn new(
        engine: &'a Engine,
        scenes: &[&Scene],
        sources: usize,
        plans: usize,
        (law, outlier): (Law, Option<f64>),
        iterations: usize,
    ) -> Result<Self> {
        let Scene { frequencies, microphones, frames, .. } = *scenes[0];
        let extent =
            Extent { plans, scenes: scenes.len(), frequencies, frames, microphones, sources };
        // Entropy is relative to a mass of one, spread evenly over all tuples of frames: without that,
        // relaxed marginals would have mass made for the sake of entropy. Fixed ones do not mind.
        let unit = match law {
            Law::Fixed => 1.0,
            _ => (frames as f64).powi(microphones as i32),
        };
        let columns = scenes.iter().flat_map(|scene| scene.columns.iter().map(|mass| unit * mass));
        let masses: Vec<f64> =
            scenes.iter().flat_map(|scene| scene.masses.iter().map(|mass| mass / unit)).collect();
        Ok(Self {
            engine,
            extent,
            law,
            outlier,
            iterations,
            columns: engine.collect("columns", extent.column_numbers(), columns)?,
            masses: engine.upload("masses of frequencies", &masses)?,
            scalings: engine.zeros("scalings", extent.scaling_numbers())?,
            messages: match microphones {
                2 => engine.zeros("messages", 0)?,
                _ => messages(engine, &extent)?,
            },
            stage: None,
        })
    }

    /// How many plans of scenes like this one are found at once: what a kernel can see, and no more than
    /// keeps an engine busy.
    pub(super) fn plans_at_once(engine: &Engine, scene: &Scene, sources: usize) -> usize {
        const BYTES: u64 = 1 << 28;
        let Scene { frequencies, microphones, frames, .. } = *scene;
        let kernels = rows_per_plan(microphones, sources);
        // Of the largest array: scalings, messages, or the masses of all lags.
        let numbers = microphones.max(2 * kernels) * frequencies * frames;
        let bytes = match engine.backend() {
            Backend::Cpu => BYTES,
            Backend::Gpu(gpu) => BYTES.min(gpu.max_binding_bytes()),
        };
        (bytes / (numbers as u64 * engine.bytes_per_number())).max(1) as usize
    }

    /// Scalings (plans, frequencies, microphones, frames), or their logarithms.
    pub(super) fn scalings(&self) -> Result<Vec<f64>> {
        self.engine.download(&self.scalings)
    }

    /// The kernels of this epsilon.
    pub(super) fn band(&self) -> Option<Band> {
        self.stage.as_ref().map(|stage| stage.band)
    }

    fn rounds(&self, stage: &Stage) -> Rounds {
        let epsilon = stage.band.epsilon;
        let law = match self.law {
            Law::Kl { rho } => Marginal::Kl(rho / epsilon),
            Law::Tv { rho } => Marginal::Tv(rho / epsilon),
            _ => Marginal::Fixed,
        };
        Rounds {
            iterations: self.iterations,
            fresh: stage.fresh,
            logs: stage.band.logs(),
            law,
            outlier: stage.band.outlier.map(|cost| cost / epsilon),
        }
    }

    fn report(&self, band: &Band, rows: &[LagRow], delays: &[f64], profile: &[f64]) -> Report {
        let (lag_masses, account) = profile.split_at(profile.len() - ACCOUNT);
        let width = lag_masses.len() / rows.len();
        let mut moments = vec![[0.0; 3]; delays.len()];
        let mut add = |kernel: usize, lag: i32, mass: f64| {
            let lag = f64::from(lag);
            let [zeroth, first, second] = &mut moments[kernel];
            *zeroth += mass;
            *first += mass * lag;
            *second += mass * lag * lag;
        };
        for (kernel, (row, masses)) in rows.iter().zip(lag_masses.chunks(width)).enumerate() {
            for (lag, mass) in row.lags().iter().zip(masses) {
                if rows.len() == delays.len() {
                    add(kernel, *lag, *mass);
                    continue;
                }
                for (source, share) in band.shares(*lag, delays).into_iter().enumerate() {
                    add(source, *lag, share * mass);
                }
            }
        }
        let &[dual, residual, mass, price] = account else { unreachable!("four numbers") };
        let leaves = self.extent.microphones - 1;
        let moved: f64 = moments.iter().step_by(leaves).map(|[mass, ..]| mass).sum();
        let unmoved = band.outlier.map_or(0.0, |cost| cost * (mass - moved).max(0.0));
        let price = band.epsilon * price + unmoved;
        Report { moments, objective: band.epsilon * dual, residual, price }
    }
}

impl Planner for Entropic<'_> {
    fn begin(&mut self, epsilon: f64) -> Result<()> {
        let Extent { plans, frequencies, frames, microphones, sources, .. } = self.extent;
        let band = Band::new(epsilon, self.outlier, self.law, microphones, frames);
        let rows = rows_per_plan(microphones, sources);
        let width = band.width(if rows == 1 { sources } else { 1 });
        let numbers = rows * width + ACCOUNT;
        self.stage = None;
        self.stage = Some(Stage {
            band,
            fresh: true,
            lags: LagTable::new(self.engine, plans * rows, width)?,
            profiles: self.engine.zeros("profiles", plans * frequencies * numbers)?,
            sums: LagProfile::new(self.engine, plans, frequencies, numbers)?,
        });
        Ok(())
    }

    fn step(
        &mut self,
        plans: &[(usize, Option<&[f64]>)],
        _: &dyn Observer,
    ) -> Result<Vec<Option<Report>>> {
        let mut stage = self.stage.take().expect("a stage has begun");
        let Extent { microphones, sources, .. } = self.extent;
        let rows_per_plan = rows_per_plan(microphones, sources);
        let mut rows = Vec::with_capacity(plans.len() * rows_per_plan);
        for &(scene, delays) in plans {
            match delays {
                None => rows.extend(vec![LagRow::default(); rows_per_plan]),
                Some(delays) if rows_per_plan == delays.len() => {
                    rows.extend(delays.iter().map(|delay| stage.band.row(scene, &[*delay])));
                }
                Some(delays) => rows.push(stage.band.row(scene, delays)),
            }
        }
        stage.lags.write(self.engine, &rows)?;
        let rounds = self.rounds(&stage);
        let operands = Operands {
            extent: &self.extent,
            rounds: &rounds,
            columns: &self.columns,
            masses: &self.masses,
            lags: &stage.lags,
            scalings: &mut self.scalings,
            profiles: &mut stage.profiles,
        };
        match microphones {
            2 => band_sinkhorn(self.engine, operands)?,
            _ => star_sinkhorn(self.engine, operands, &mut self.messages)?,
        }
        stage.fresh = false;
        let sums = stage.sums.sum(self.engine, &stage.profiles)?;
        let profiles = sums.chunks(sums.len() / plans.len());
        let reports = plans.iter().zip(profiles).zip(rows.chunks(rows_per_plan)).map(
            |(((_, delays), profile), rows)| {
                delays.map(|delays| self.report(&stage.band, rows, delays, profile))
            },
        );
        let reports = reports.collect();
        self.stage = Some(stage);
        Ok(reports)
    }
}
