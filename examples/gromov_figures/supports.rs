//! What a grid costs: barycenters on its cells beside those on as many free points.

use std::time::Instant;

use gaspard::gromov::{
    Barycenter, Control, Descent, FreeSupport, GridSpace, Plans, Solution, Space,
    conditional_gradient, solve, solve_from,
};
use gaspard::{Engine, Result};

use crate::inputs::pair_of_shapes;
use crate::{EPSILON, Options, save};

/// Times that epsilon is halved after annealing.
const HALVINGS: usize = 4;
/// The mass from which on a cell counts as a point, as in the paper.
const ESSENTIAL: f64 = 1e-4;

/// The mean loss of spade and heart, or of two shapes of our own, on a grid while epsilon falls,
/// and on as many free points as the grid has essential ones.
pub fn supports(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = pair_of_shapes(options, 2 * options.side)?;
    let support = GridSpace::whole_plane([options.side; 2])?;
    println!("{:<24} {:>6} {:>9} {:>11} {:>9}", "supports", "points", "epsilon", "loss", "seconds");
    let (grid, loss) = on_grid(options, engine, &inputs, &support)?;
    let points = essential(&grid);
    let free = FreeSupport::of(inputs.to_vec(), points);
    // At the epsilon of the paper: descents without entropy end in whatever valley is next.
    let entropic = Plans::Entropic(Control::new(EPSILON));
    let mut best = f64::INFINITY;
    for (name, problem) in [("free, exact", free.clone()), ("free, entropic", free.plans(entropic))]
    {
        let found = problem.solve_seeds(options.seeds, engine, &mut ())?;
        let seconds = found.iter().map(|one| one.seconds).sum();
        let epsilon = if name == "free, exact" { 0.0 } else { EPSILON };
        row(name, points, epsilon, found[0].loss(), seconds);
        best = best.min(found[0].loss());
    }
    println!("the grid is {:+.1} % off the free points", 100.0 * (loss / best - 1.0));
    let drawn = support.draw(Barycenter::weights_of(&grid))?;
    save(options, "supports.png", &[drawn])
}

/// Anneals, halves epsilon again and again, and takes exact plans in the end.
fn on_grid(
    options: &Options,
    engine: &Engine,
    inputs: &[Space; 2],
    support: &GridSpace,
) -> Result<(Solution, f64)> {
    let barycenter = Barycenter::of(&[&inputs[0], &inputs[1]], &support.space);
    let problem = barycenter.problem();
    let mut control =
        Control { seeds: options.seeds, tolerance: Some(1e-2), ..Control::new(EPSILON / 2.0) };
    let mut best = solve(problem, &control, engine, &mut ())?.swap_remove(0);
    let mut seconds = best.seconds;
    row("grid, annealed", essential(&best), best.epsilon, best.terms.transport(), seconds);
    control.annealing = 1.0;
    for _ in 0..HALVINGS {
        control.epsilon /= 2.0;
        best = solve_from(problem, &best, &control, engine, &mut ())?;
        seconds += best.seconds;
        row(
            "grid, epsilon halved",
            essential(&best),
            best.epsilon,
            best.terms.transport(),
            seconds,
        );
    }
    let begin = Instant::now();
    let mut center = support.space.clone();
    center.weights = Barycenter::weights_of(&best) / best.mass;
    let mut loss = 0.0;
    for (input, plan) in inputs.iter().zip(&best.plans) {
        let descent = Descent { tolerance: 1e-6, ..Descent::default() };
        loss += 0.5 * conditional_gradient(input, &center, Some(plan), &descent, &mut ())?.cost;
    }
    seconds += begin.elapsed().as_secs_f64();
    row("grid, exact plans to it", essential(&best), 0.0, loss, seconds);
    Ok((best, loss))
}

fn essential(solution: &Solution) -> usize {
    let weights = Barycenter::weights_of(solution);
    weights.iter().filter(|weight| **weight > ESSENTIAL).count()
}

fn row(name: &str, points: usize, epsilon: f64, loss: f64, seconds: f64) {
    println!("{name:<24} {points:>6} {epsilon:>9.2e} {loss:>11.4e} {seconds:>9.1}");
}
