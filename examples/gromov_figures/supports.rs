//! What a grid costs: barycenters on its cells beside those on as many free points.

use std::time::Instant;

use gaspard::Result;
use gaspard::gromov::{
    Barycenter, Control, Descent, FreeSupport, GridSpace, Plans, Solution, Space,
    conditional_gradient,
};

use crate::common::{Sheet, head};
use crate::inputs::pair_of_shapes;
use crate::{EPSILON, Inputs, save};

/// Times that epsilon is halved after annealing.
const HALVINGS: usize = 4;
/// The mass from which on a cell counts as a point, as in the paper.
const ESSENTIAL: f64 = 1e-4;

/// The mean loss of spade and heart, or of two shapes of our own, on a grid while epsilon falls,
/// and on as many free points as the grid has essential ones.
pub fn supports(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let side = inputs.side(16, 25);
    let shapes = pair_of_shapes(inputs, 2 * side)?;
    let support = GridSpace::whole_plane([side; 2])?;
    let mut rows = Vec::new();
    let (grid, loss) = on_grid(inputs, &shapes, &support, &mut rows)?;
    let points = essential(&grid);
    let free = FreeSupport::of(shapes.to_vec(), points).seed(inputs.context.seed);
    // At the epsilon of the paper: descents without entropy end in whatever valley is next.
    let entropic = Plans::Entropic(Control::new(EPSILON));
    let mut best = f64::INFINITY;
    for (name, problem) in [("free, exact", free.clone()), ("free, entropic", free.plans(entropic))]
    {
        let seeds = inputs.options.seeds as usize;
        let found = problem.solve_seeds(seeds, &inputs.context.engine, &mut ())?;
        let seconds = found.iter().map(|one| one.outcome.seconds).sum();
        let epsilon = if name == "free, exact" { 0.0 } else { EPSILON };
        rows.push(row(name, points, epsilon, found[0].loss(), seconds));
        best = best.min(found[0].loss());
    }
    let titles = ["points", "epsilon", "loss", "seconds"];
    sheet.table("supports: the mean loss of both shapes", &head("", titles), &rows);
    let off = 100.0 * (loss / best - 1.0);
    sheet.check("supports: what the grid loses to free points, %", off, -50.0..=20.0);
    let drawn = support.draw(Barycenter::weights_of(&grid))?;
    save(inputs, "supports.png", &[drawn])
}

/// Anneals, halves epsilon again and again, and takes exact plans in the end.
fn on_grid(
    inputs: &Inputs<'_>,
    shapes: &[Space; 2],
    support: &GridSpace,
    rows: &mut Vec<Vec<String>>,
) -> Result<(Solution, f64)> {
    let engine = &inputs.context.engine;
    let barycenter = Barycenter::of(&[&shapes[0], &shapes[1]], &support.space);
    let problem = barycenter.problem();
    let seeds = inputs.options.seeds as usize;
    let mut control = Control { seeds, ..inputs.control(EPSILON / 2.0, 1e-2) };
    let mut best = problem.solve(&control, engine)?;
    let mut seconds = best.outcome.seconds;
    let on_the_way = |name, best: &Solution, seconds| {
        row(name, essential(best), best.epsilon, best.terms.transport(), seconds)
    };
    rows.push(on_the_way("grid, annealed", &best, seconds));
    control.annealing = 1.0;
    for _ in 0..HALVINGS {
        control.epsilon /= 2.0;
        best = problem.solve_from(&best, &control, engine, &mut ())?;
        seconds += best.outcome.seconds;
        rows.push(on_the_way("grid, epsilon halved", &best, seconds));
    }
    let begin = Instant::now();
    let mut center = support.space.clone();
    center.weights = Barycenter::weights_of(&best) / best.mass;
    let mut loss = 0.0;
    for (input, plan) in shapes.iter().zip(&best.plans) {
        let descent = Descent { tolerance: 1e-6, ..Descent::default() };
        loss += 0.5 * conditional_gradient(input, &center, Some(plan), &descent, &mut ())?.cost;
    }
    seconds += begin.elapsed().as_secs_f64();
    rows.push(row("grid, exact plans to it", essential(&best), 0.0, loss, seconds));
    Ok((best, loss))
}

fn essential(solution: &Solution) -> usize {
    let weights = Barycenter::weights_of(solution);
    weights.iter().filter(|weight| **weight > ESSENTIAL).count()
}

fn row(name: &str, points: usize, epsilon: f64, loss: f64, seconds: f64) -> Vec<String> {
    let numbers = [format!("{epsilon:.2e}"), format!("{loss:.4e}"), format!("{seconds:.1}")];
    println!(
        "  {name}: {points} points, epsilon {}, loss {}, {} s",
        numbers[0], numbers[1], numbers[2]
    );
    head(name, std::iter::once(points.to_string()).chain(numbers))
}
