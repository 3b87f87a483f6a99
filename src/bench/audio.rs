//! Sound: plans between spectrograms alone, and whole separations of voices that are made here.

use ndarray::{Array2, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::audio::transport::Separation;
use crate::audio::{Recording, Separator, Simulation, Speaker, Stft, Voice, spectrogram};
use crate::error::Result;
use crate::kernels::audio::band_sinkhorn::band_sinkhorn;
use crate::kernels::audio::star_sinkhorn::{messages, star_sinkhorn};
use crate::kernels::audio::{ACCOUNT, Extent, LagRow, LagTable, Marginal, Operands, Rounds};

/// Samples per second.
const RATE: u32 = 8000;
/// Iterations between two steps of the delays.
const ITERATIONS: usize = 30;
/// Lags around a delay where the kernel is not negligible: at epsilon 1/2 with an outlier of cost 4.
const REACH: i32 = 4;
const EPSILON: f64 = 0.5;

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let (plans, scenes, seconds) = match (context.scale, context.quick) {
        (Scale::Software, _) => (2, 1, 1.5),
        (Scale::Cpu, true) => (5, 4, 5.0),
        (Scale::Cpu, false) => (20, 100, 30.0),
        (Scale::Gpu, quick) => (if quick { 50 } else { 500 }, 100, 30.0),
    };
    vec![
        Case::new("sound, plans of two microphones", move |context| planned(context, plans, 2)),
        Case::new("sound, plans of four microphones", move |context| planned(context, plans, 4)),
        Case::new("sound, scenes at once", move |context| at_once(context, scenes)),
        Case::new("sound, two voices separated", move |context| {
            separated(context, RATE, 2.0, array![[0.0, 703.3], [0.0, -1212.6]])
        }),
        Case::new("sound, two voices at four microphones", move |context| {
            let delays = array![[0.0, 500.0, 310.0, -260.0], [0.0, -700.0, 350.0, 480.0]];
            separated(context, 2 * RATE, seconds, delays)
        }),
    ]
}

/// Plans of two sources in scenes of two seconds: 129 frequencies, 81 frames. What an iteration cannot
/// do without is two sums over lags, of one source at each microphone; a lag of more than two
/// microphones has one for each source, there and back.
fn planned(context: &Context<'_>, plans: usize, microphones: usize) -> Result<Timed> {
    let engine = context.engine;
    let extent = Extent { plans, scenes: 1, frequencies: 129, frames: 81, microphones, sources: 2 };
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let columns: Vec<f64> = (0..extent.column_numbers())
        .map(|_| random.random_range(0.0..2.0) / extent.frames as f64)
        .collect();
    let columns = engine.upload("columns", &columns)?;
    let masses = engine.filled("masses", extent.frequencies, 1.0 / extent.frequencies as f64)?;
    let kernel = |delays: &[i32]| {
        let mut lags: Vec<i32> =
            delays.iter().flat_map(|delay| delay - REACH..=delay + REACH).collect();
        lags.sort_unstable();
        lags.dedup();
        let weight = |lag: &i32| {
            delays.iter().map(|delay| (-f64::from(lag - delay).powi(2) / EPSILON).exp()).sum()
        };
        let weights = lags.iter().map(weight).collect();
        LagRow::new(0, lags, weights)
    };
    let star = microphones > 2;
    let rows: Vec<LagRow> = match star {
        true => (0..plans * extent.kernels()).map(|row| kernel(&[row as i32 % 11 - 5])).collect(),
        false => (0..plans).map(|plan| kernel(&[3 + plan as i32 % 5, -6])).collect(),
    };
    let width = rows.iter().map(|row| row.lags().len()).max().unwrap_or(0);
    let mut lags = LagTable::new(engine, rows.len(), width)?;
    lags.write(engine, &rows)?;
    let mut scalings = engine.zeros("scalings", extent.scaling_numbers())?;
    let tables = rows.len() / plans;
    let mut profiles = engine.zeros("profiles", extent.groups() * (tables * width + ACCOUNT))?;
    let rounds = Rounds {
        iterations: ITERATIONS,
        fresh: true,
        logs: false,
        law: Marginal::Fixed,
        outlier: Some(4.0 / EPSILON),
    };
    let mut between = if star { Some(messages(engine, &extent)?) } else { None };
    let seconds = clock::samples(engine, if context.quick { 3 } else { 7 }, || {
        let operands = Operands {
            extent: &extent,
            rounds: &rounds,
            columns: &columns,
            masses: &masses,
            lags: &lags,
            scalings: &mut scalings,
            profiles: &mut profiles,
        };
        match &mut between {
            Some(between) => star_sinkhorn(engine, operands, between),
            None => band_sinkhorn(engine, operands),
        }
    })?;
    let of_a_plan: usize = rows.iter().map(|row| row.lags().len()).sum::<usize>() / plans;
    let sums = 2 * ITERATIONS * of_a_plan * extent.frames * plans * extent.frequencies;
    let counts = Counts { exponentials: 0.0, bytes: 0.0, flops: 2.0 * sums as f64 };
    let size = format!("{plans} plans, 129 x 81, {of_a_plan} lags, {ITERATIONS} iterations");
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// Delays and masks of scenes of two seconds, from spectrograms.
fn at_once(context: &Context<'_>, scenes: usize) -> Result<Timed> {
    let stft = Stft::at_rate(RATE)?;
    let scenes = (0..scenes)
        .map(|seed| {
            let (seed, later) = (seed as u64, 10.0 * (seed % 40) as f64);
            let delays = array![[0.0, 500.0 + later], [0.0, -1212.6 + later]];
            let recording = recorded(seed, RATE, 2.0, delays)?;
            let heard: Vec<Array2<f64>> =
                (0..2).map(|l| spectrogram::power(&stft.forward(recording.channel(l)))).collect();
            Separation::new(&heard, 2)
        })
        .collect::<Result<Vec<_>>>()?;
    let seconds =
        whole(context, || Separation::solve_batch(&scenes, context.engine, &mut ()).map(drop))?;
    let each = 1e3 * clock::median(&seconds) / scenes.len() as f64;
    let size = format!("{} of 129 x 81 ({each:.1} ms each)", scenes.len());
    Ok(Timed { size, counts: None, seconds })
}

/// From samples to samples, with all defaults.
fn separated(context: &Context<'_>, rate: u32, length: f64, delays: Array2<f64>) -> Result<Timed> {
    let recording = recorded(5, rate, length, delays)?;
    let separator = Separator::new(2);
    let seconds = whole(context, || separator.separate(&recording, context.engine).map(drop))?;
    let faster = length / clock::median(&seconds);
    let size = format!("{length} s at {rate} Hz ({faster:.0} times faster than it was recorded)");
    Ok(Timed { size, counts: None, seconds })
}

/// Much of the work is the host's, so that a device's own clock does not tell how long it took.
fn whole(context: &Context<'_>, mut solve: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    // The first one compiles.
    solve()?;
    (0..3).map(|_| clock::wall(context.engine, &mut solve)).collect()
}

fn recorded(seed: u64, rate: u32, length: f64, delays: Array2<f64>) -> Result<Recording> {
    let samples = (length * f64::from(rate)) as usize;
    let latest = delays.iter().fold(0.0_f64, |most, delay| most.max(delay.abs()));
    let spoken = samples.saturating_sub(2 * latest as usize);
    let voices = [Voice::Low, Voice::High].map(|voice| Speaker::new(voice).speak(rate, spoken));
    let scene = Simulation::new(rate, voices)?.delays(delays).snr(20.0).seed(seed);
    Ok(scene.samples(samples).run()?.mixture)
}
