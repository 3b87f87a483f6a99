//! The numbers of a barycenter, in f64 on the host wherever that is affordable.

use ndarray::Array1;

use super::star::{Group, Star};
use super::{Barycenter, BarycenterSolution};
use crate::engine::Engine;
use crate::error::Result;
use crate::geometry::{Side, Support};
use crate::kernels::NOTHING;
use crate::linear::iterate::Found;
use crate::linear::pace::{HOST_WORK, room_for};
use crate::linear::tree::Terms;
use crate::numeric::compensated_sum;
use crate::outcome::Outcome;

pub(super) fn evaluate(
    mut star: Star,
    problem: &Barycenter<'_>,
    support: Support,
    mut found: Found,
    seconds: f64,
) -> Result<BarycenterSolution> {
    let epsilon = found.epsilon;
    let log_barycenter = star.engine.download(&star.mean)?;
    let peak = log_barycenter.iter().copied().fold(NOTHING, f64::max);
    let mut weights: Array1<f64> = log_barycenter.iter().map(|log| (log - peak).exp()).collect();
    weights /= weights.sum();
    let device = star.engine.description();
    let on_gpu = star.engine.is_gpu();
    let host = match on_gpu && 3.0 * star.work() <= HOST_WORK {
        true => room_for(on_host(&star, problem, &support))?,
        false => None,
    };
    let in_f64 = host.is_some() || !on_gpu;
    star = host.unwrap_or(star);
    let (mut linear, mut entropic, mut marginal_error) = (0.0, 0.0, 0.0);
    for group in &mut star.groups {
        let plans = group_plans(group, &star.engine, epsilon, &weights, problem)?;
        linear += plans.linear;
        entropic += plans.entropic;
        marginal_error += plans.marginal_error;
    }
    Ok(BarycenterSolution {
        weights,
        support,
        terms: Terms { linear, entropic, marginal: 0.0, dual: f64::NAN },
        marginal_error,
        outcome: Outcome {
            converged: found.converged[0],
            interrupted: found.interrupted,
            iterations: found.iterations[0],
            tolerance: found.tolerance,
            seconds,
            device,
        },
        epsilon,
        reached_epsilon: epsilon == problem.control.epsilon,
        trace: found.traces.remove(0),
        evaluated_in_f64: in_f64,
    })
}

/// The same star with the same scalings on the CPU.
fn on_host(star: &Star, problem: &Barycenter<'_>, support: &Support) -> Result<Star> {
    let cpu = star.engine.host();
    let mut host = Star::new(&cpu, problem, support)?;
    for (target, source) in host.groups.iter_mut().zip(&star.groups) {
        cpu.write(&mut target.inputs.bias, &star.engine.download(&source.inputs.bias)?)?;
        cpu.write(&mut target.bias, &star.engine.download(&source.bias)?)?;
    }
    Ok(host)
}

/// Weighted sums over the plans of a group, P_k = exp(f_k + h_k - C / epsilon).
struct Plans {
    linear: f64,
    entropic: f64,
    marginal_error: f64,
}

fn group_plans(
    group: &mut Group,
    engine: &Engine,
    epsilon: f64,
    barycenter: &Array1<f64>,
    problem: &Barycenter<'_>,
) -> Result<Plans> {
    let Group { operator, inputs, bias, belief, messages, members, .. } = group;
    operator.softmin(engine, Side::Rows, epsilon, bias, belief)?;
    operator.softmin(engine, Side::Cols, epsilon, &inputs.bias, messages)?;
    let mut costs = engine.zeros("linear part", belief.len())?;
    operator.linear(engine, epsilon, &inputs.bias, bias, &mut costs)?;
    let costs = engine.download(&costs)?;
    let (f, heard) = (engine.download(&inputs.bias)?, engine.download(belief)?);
    let (h, sent) = (engine.download(bias)?, engine.download(messages)?);
    let log_weight = engine.download(&inputs.log_weight)?;
    let (rows, cols) = (f.len() / members.len(), h.len() / members.len());
    let log_cols = (cols as f64).ln();
    let mut plans = Plans { linear: 0.0, entropic: 0.0, marginal_error: 0.0 };
    for (place, &member) in members.iter().enumerate() {
        let (of_rows, of_cols) =
            (place * rows..(place + 1) * rows, place * cols..(place + 1) * cols);
        let marginal = |own: &[f64], heard: &[f64]| -> Vec<f64> {
            own.iter().zip(heard).map(|(own, heard)| (own + heard).max(NOTHING).exp()).collect()
        };
        let of_input = marginal(&f[of_rows.clone()], &heard[of_rows.clone()]);
        let of_support = marginal(&h[of_cols.clone()], &sent[of_cols.clone()]);
        let linear = compensated_sum(costs[of_rows.clone()].iter().copied());
        // log(P / (mu x U)) = f - log mu + h + log m - C / epsilon, where there is mass.
        let mut terms: Vec<f64> = Vec::with_capacity(rows + cols);
        let mut error = 0.0;
        for (i, &p) in of_rows.zip(&of_input) {
            terms.push(if p > 0.0 { p * (f[i] - log_weight[i]) } else { 0.0 });
            error += (p - log_weight[i].exp()).abs();
        }
        for (j, (&p, &wanted)) in of_cols.zip(of_support.iter().zip(barycenter)) {
            terms.push(if p > 0.0 { p * (h[j] + log_cols) } else { 0.0 });
            error += (p - wanted).abs();
        }
        let mass = compensated_sum(of_input.iter().copied());
        let weight = problem.weights[member];
        plans.linear += weight * linear;
        plans.entropic +=
            weight * (epsilon * (compensated_sum(terms.iter().copied()) - mass + 1.0) - linear);
        plans.marginal_error += weight * error;
    }
    Ok(plans)
}
