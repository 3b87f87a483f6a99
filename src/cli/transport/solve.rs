//! Entropic and exact solves, and what they find under one name.

use gaspard::linear::exact;
use gaspard::report::record::Results;
use gaspard::{Engine, Error, Geometry, Law, Outcome, Result, Transport, TransportSolution};
use ndarray::{Array1, Array2, CowArray};

use super::problem::Problem;
use super::{Arguments, Parts};
use crate::cli::interrupt;
use crate::cli::session::Session;

/// What a solve found.
pub(super) struct Found {
    pub results: Results,
    /// The potentials.
    pub f: Array1<f64>,
    pub g: Array1<f64>,
    /// The marginals of the coupling.
    pub p: Array1<f64>,
    pub q: Array1<f64>,
    /// The coupling, where it is to be written.
    pub coupling: Option<Array2<f64>>,
    /// What a divergence is made of.
    pub divergence: Option<Parts>,
}

/// Sinkhorn, once or, for a divergence, three times.
pub(super) fn entropic(
    problem: &Problem,
    arguments: &Arguments,
    session: &Session,
    engine: &Engine,
) -> Result<Found> {
    let geometry = problem.geometry()?;
    if let Some(epsilon) = arguments.epsilon {
        session.check_epsilon(engine, epsilon, [geometry.as_ref()])?;
    }
    let mut transport = Transport::between(&problem.a, &problem.b)
        .laws(arguments.law_a, arguments.law_b)
        .reference(arguments.reference.into());
    transport = match problem.cost() {
        Some(cost) => transport.cost(cost),
        None => transport.geometry(geometry),
    };
    let epsilon = arguments.epsilon.map_or_else(|| transport.default_epsilon(), Ok)?;
    let transport = transport.control(arguments.annealing.control(epsilon));
    let mut watch = session.watch("marginal error");
    let (solution, results, divergence) = if arguments.divergence {
        let found = transport.divergence(engine, &mut watch)?;
        let parts = [&found.between, &found.self_a, &found.self_b];
        let results = together(parts.map(|part| Results::from(part.details())), found.value);
        let [between, self_a, self_b] = parts.map(TransportSolution::value);
        (found.between, results, Some(Parts { between, self_a, self_b }))
    } else {
        let solution = transport.solve_with(engine, &mut watch)?;
        let results = Results::from(solution.details());
        (solution, results, None)
    };
    drop(watch);
    let coupling = arguments.wants_coupling().then(|| solution.coupling()).transpose()?;
    let ((f, g), (p, q)) = (solution.potentials(), solution.marginals());
    let [f, g, p, q] = [f, g, p, q].map(Array1::clone);
    Ok(Found { results, f, g, p, q, coupling, divergence })
}

/// The results of a divergence: terms of the problem between, effort and quality of all three.
fn together(parts: [Results; 3], value: f64) -> Results {
    let worst = parts.iter().map(|part| part.marginal_error).fold(0.0, f64::max);
    let [between, self_a, self_b] = &parts;
    Results {
        value,
        marginal_error: worst,
        outcome: between.outcome.clone().and(&self_a.outcome).and(&self_b.outcome),
        reached_epsilon: parts.iter().all(|part| part.reached_epsilon),
        evaluated_in_f64: parts.iter().all(|part| part.evaluated_in_f64),
        ..between.clone()
    }
}

/// Refuses laws that the network simplex does not know.
pub(super) fn check_exact(law_a: Law, law_b: Law) -> Result<()> {
    match [("--law-a", law_a), ("--law-b", law_b)].into_iter().find(|(_, law)| *law != Law::Fixed) {
        None => Ok(()),
        Some((option, law)) => Err(Error::parameter(
            option,
            format!("exact transport has fixed marginals, not {law}"),
            "leave --exact out, or the law",
        )),
    }
}

/// The network simplex.
pub(super) fn exact(problem: &Problem, arguments: &Arguments, engine: &Engine) -> Result<Found> {
    let remedy = "leave --exact out: entropic transport between points stores no costs";
    problem.require_dense("the cost matrix of exact transport", engine, remedy)?;
    let begin = std::time::Instant::now();
    let (a, b) = (problem.a.weights(), problem.b.weights());
    let geometry = problem.geometry()?;
    let costs = match geometry.as_ref() {
        Geometry::Matrix(costs) => CowArray::from(costs),
        computed => CowArray::from(computed.dense()?),
    };
    let (n, m) = costs.dim();
    let costs = costs.as_standard_layout();
    let costs = costs.as_slice().unwrap_or(&[]);
    let plan = exact::exact(&a.to_vec(), &b.to_vec(), costs, &mut interrupt::requested)?;
    let (mut p, mut q) = (Array1::zeros(n), Array1::zeros(m));
    for &(row, column, mass) in &plan.coupling {
        p[row as usize] += mass;
        q[column as usize] += mass;
    }
    let coupling = arguments.wants_coupling().then(|| {
        let mut dense = Array2::zeros((n, m));
        for &(row, column, mass) in &plan.coupling {
            dense[[row as usize, column as usize]] = mass;
        }
        dense
    });
    let off = |found: &Array1<f64>, wanted: &Array1<f64>| (found - wanted).mapv(f64::abs).sum();
    let results = Results {
        value: plan.value,
        linear: plan.value,
        entropic: 0.0,
        marginal_terms: 0.0,
        dual: plan.dual_value,
        mass: p.sum(),
        marginal_error: (off(&p, a) + off(&q, b)) / a.sum(),
        outcome: Outcome {
            converged: plan.optimal,
            interrupted: !plan.optimal,
            iterations: usize::try_from(plan.pivots).unwrap_or(usize::MAX),
            tolerance: 0.0,
            seconds: begin.elapsed().as_secs_f64(),
            device: engine.description(),
        },
        epsilon: 0.0,
        reached_epsilon: true,
        evaluated_in_f64: true,
        trace: Vec::new(),
    };
    let (f, g) = (Array1::from(plan.potential_a), Array1::from(plan.potential_b));
    Ok(Found { results, f, g, p, q, coupling, divergence: None })
}
