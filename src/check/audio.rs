//! Kernels of spectrogram separation.

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::audio::band_sinkhorn::band_sinkhorn;
use crate::kernels::audio::lag_profile::LagProfile;
use crate::kernels::audio::star_sinkhorn::{messages, star_sinkhorn};
use crate::kernels::audio::{ACCOUNT, Extent, LagRow, LagTable, Marginal, Operands, Rounds};

/// The iterations that errors are allowed for.
const ITERATIONS: usize = 10;
const EPSILON: f64 = 0.5;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (logs, outlier, law) in [
        (false, Some(8.0), Marginal::Fixed),
        (false, Some(8.0), Marginal::Kl(4.0)),
        (true, None, Marginal::Fixed),
        (true, Some(8.0), Marginal::Tv(8.0)),
    ] {
        let rounds = Rounds { iterations: ITERATIONS, fresh: true, logs, law, outlier };
        for (frames, microphones) in [(81, 2), (40, 2), (30, 3), (1201, 2)] {
            sinkhorn(&mut cases, random, frames, microphones, rounds);
        }
    }
    let (plans, frequencies, width) = (5, 130, 20);
    let values = random.vector(plans * frequencies * width, 0.0, 1.0);
    cases.push(Case {
        kernel: "audio/lag_profile",
        name: format!("{plans} plans, {frequencies} frequencies, {width} lags"),
        unit: Unit::Relative,
        allowed: 16.0 * ROUNDOFF,
        work: Box::new(move |engine| {
            let values = engine.upload("values", &values)?;
            LagProfile::new(engine, plans, frequencies, width)?.sum(engine, &values)
        }),
    });
    Ok(cases)
}

/// What the cases run: the scalings' shares of the columns, the masses of lags, and the account.
fn sinkhorn(
    cases: &mut Vec<Case>,
    random: &mut Random,
    frames: usize,
    microphones: usize,
    rounds: Rounds,
) {
    let extent = Extent { plans: 2, scenes: 1, frequencies: 3, frames, microphones, sources: 2 };
    let mut columns = random.vector(extent.column_numbers(), 0.0, 2.0 / frames as f64);
    columns.iter_mut().skip(3).step_by(7).for_each(|value| *value = 0.0);
    let star = microphones > 2;
    let rows: Vec<LagRow> = (0..extent.plans * if star { extent.kernels() } else { 1 })
        .map(|_| {
            let delay = random.number(-5.0, 5.0);
            let lags: Vec<i32> = (-9..=9).collect();
            let score = |lag: &i32| -(f64::from(*lag) - delay).powi(2) / EPSILON;
            let kept = |score: f64| if rounds.logs { score } else { score.exp() };
            let weights = lags.iter().map(|lag| single(kept(score(lag)))).collect();
            LagRow::new(0, lags, weights)
        })
        .collect();
    let way = if rounds.logs { "logarithms" } else { "scalings" };
    // Every iteration rounds scalings, or scores of sizes up to 14² / epsilon.
    let allowed = if rounds.logs { 40.0 } else { 4.0 } * ITERATIONS as f64 * ROUNDOFF;
    cases.push(Case {
        kernel: if star { "audio/star_sinkhorn" } else { "audio/band_sinkhorn" },
        name: format!("{frames} frames, {microphones} microphones, {way}, {:?}", rounds.law),
        unit: Unit::Absolute,
        allowed,
        work: Box::new(move |engine| run(engine, &extent, &rounds, &columns, &rows)),
    });
}

fn run(
    engine: &Engine,
    extent: &Extent,
    rounds: &Rounds,
    columns: &[f64],
    rows: &[LagRow],
) -> Result<Vec<f64>> {
    let columns = engine.upload("columns", columns)?;
    let masses = engine.filled("masses", extent.frequencies, 0.25)?;
    let mut lags = LagTable::new(engine, rows.len(), 19)?;
    lags.write(engine, rows)?;
    let width = rows.len() / extent.plans * 19 + ACCOUNT;
    let mut scalings = engine.zeros("scalings", extent.scaling_numbers())?;
    let mut profiles = engine.zeros("profiles", extent.groups() * width)?;
    let operands = Operands {
        extent,
        rounds,
        columns: &columns,
        masses: &masses,
        lags: &lags,
        scalings: &mut scalings,
        profiles: &mut profiles,
    };
    match extent.microphones {
        2 => band_sinkhorn(engine, operands)?,
        _ => star_sinkhorn(engine, operands, &mut messages(engine, extent)?)?,
    }
    engine.download(&profiles)
}
