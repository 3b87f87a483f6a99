//! A solve of every system that has an engine, each as small as can be.

use gaspard::audio::transport::{Separation, Start};
use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{self, Form, Method};
use gaspard::flat::neural::Training;
use gaspard::flat::{Cloud, Sinkhorn};
use gaspard::gromov::{self, Space};
use gaspard::linear::tree::Tree;
use gaspard::{Barycenter, Control, Cost, Engine, Geometry, Law, Measure, Result, Transport};
use ndarray::{Array1, Array2, ArrayD, IxDyn, array};

/// What it is called, and what it finds.
pub type System = (&'static str, fn(&Engine) -> Result<Vec<f64>>);

/// All of them.
pub const SYSTEMS: [System; 11] = [
    ("transport of points", points),
    ("transport with a matrix", matrix),
    ("tree", tree),
    ("barycenter on a grid", barycenter),
    ("gromov, stored costs", gromov_stored),
    ("gromov, on grids", gromov_grids),
    ("dynamic, particles", particles),
    ("dynamic, coupled spaces and frames", spaces),
    ("flat, sinkhorn", flat_sinkhorn),
    ("flat, networks", flat_networks),
    ("sound", sound),
];

/// Points in the unit square, the same ones every time.
fn cloud(count: usize, phase: f64) -> Array2<f64> {
    Array2::from_shape_fn((count, 2), |(i, axis)| {
        let turns = (i as f64 + phase) * [0.618, 0.755][axis];
        turns.fract()
    })
}

fn weights(count: usize) -> Array1<f64> {
    let weights = Array1::from_shape_fn(count, |i| 1.0 + (i % 3) as f64);
    let mass = weights.sum();
    weights / mass
}

fn measure(count: usize, phase: f64) -> Measure {
    Measure::uniform("points", cloud(count, phase)).expect("they are finite")
}

fn control() -> Control {
    Control { max_iterations: 6, check_every: 2, ..Control::new(0.05) }
}

fn points(engine: &Engine) -> Result<Vec<f64>> {
    let (a, b) = (measure(9, 0.0), measure(7, 0.4));
    let solved = Transport::between(&a, &b).control(control()).solve(engine)?;
    Ok(solved.potentials().0.to_vec())
}

fn matrix(engine: &Engine) -> Result<Vec<f64>> {
    let (a, b) = (measure(5, 0.0), measure(6, 0.4));
    let costs = Array2::from_shape_fn((5, 6), |(i, j)| (i as f64 - j as f64).abs());
    let problem = Transport::between(&a, &b).geometry(Geometry::matrix(costs)?);
    let problem = problem.laws(Law::Kl { rho: 1.0 }, Law::Fixed).control(control());
    let solved = problem.solve(engine)?;
    let plan = solved.apply(gaspard::Side::Rows, &Array2::ones((6, 2)))?;
    Ok(plan.iter().copied().chain([solved.value()]).collect())
}

fn tree(engine: &Engine) -> Result<Vec<f64>> {
    let mut problem = Tree::default();
    let centre = problem.free_node(6);
    for (count, phase) in [(5, 0.1), (4, 0.6)] {
        let leaf = problem.node(weights(count), Law::Fixed);
        let (here, there) = (cloud(count, phase), cloud(6, 0.0));
        problem.edge(leaf, centre, Geometry::points(here, there, Cost::Euclidean)?);
    }
    let solved = problem.solve(&control(), engine)?;
    Ok(solved.marginals.iter().flatten().copied().collect())
}

fn barycenter(engine: &Engine) -> Result<Vec<f64>> {
    let blob = |centre: f64| {
        let density = ArrayD::from_shape_fn(IxDyn(&[5, 6]), |place| {
            (-((place[0] as f64 - centre).powi(2) + (place[1] as f64 - centre).powi(2))).exp()
        });
        Measure::density("a blob", density.view())
    };
    let (a, b) = (blob(1.0)?, blob(4.0)?);
    let problem = Barycenter::of(&[&a, &b]).control(control()).debiased(true);
    Ok(problem.solve(engine)?.weights.to_vec())
}

fn gromov(problem: &gromov::Problem, engine: &Engine) -> Result<Vec<f64>> {
    let control = gromov::Control {
        max_iterations: 2,
        inner_iterations: 4,
        refinements: 0,
        plans: true,
        ..gromov::Control::new(0.05)
    };
    let solutions = problem.solve_seeds(&control, engine, &mut ())?;
    Ok(solutions[0].marginals.iter().flatten().copied().collect())
}

fn gromov_stored(engine: &Engine) -> Result<Vec<f64>> {
    let mut problem = gromov::Problem::default();
    for (count, phase) in [(5, 0.1), (4, 0.6)] {
        let space = Space::from_points(cloud(count, phase), Cost::Euclidean, weights(count))?;
        problem.node(space, Law::Kl { rho: 1.0 });
    }
    problem.edge(0, 1, 1.0);
    gromov(&problem, engine)
}

fn gromov_grids(engine: &Engine) -> Result<Vec<f64>> {
    let mut problem = gromov::Problem::default();
    let whole = gromov::GridSpace::whole_plane([3, 4])?;
    problem.node(whole.space, Law::Free);
    for phase in [0.2, 1.0] {
        let picture =
            Array2::from_shape_fn((4, 3), |(i, j)| (i as f64 + phase * j as f64).sin().abs());
        problem.node(gromov::GridSpace::plane(picture.view())?.space, Law::Fixed);
    }
    problem.edge(1, 0, 0.5);
    problem.edge(2, 0, 0.5);
    gromov(&problem, engine)
}

fn dynamic(form: Form, method: Method, engine: &Engine) -> Result<Vec<f64>> {
    let problem = Example::named("6.2a")?.problem([4, 3], 4, form, 0.7)?;
    let control = dynamic::Control {
        max_iterations: 3,
        check_every: 2,
        warm_iterations: 2,
        method,
        ..dynamic::Control::default()
    };
    let solved = problem.solve(&control, engine)?;
    Ok(solved.density.iter().copied().collect())
}

fn particles(engine: &Engine) -> Result<Vec<f64>> {
    dynamic(Form::Monge, Method::Relaxed, engine)
}

fn spaces(engine: &Engine) -> Result<Vec<f64>> {
    let mut all = dynamic(Form::Coupled, Method::Relaxed, engine)?;
    all.extend(dynamic(Form::Kantorovich, Method::Yan, engine)?);
    Ok(all)
}

fn clouds() -> Result<[Cloud; 2]> {
    let cloud = |count, phase| Cloud::counting("a cloud", cloud(count, phase));
    Ok([cloud(5, 0.1)?, cloud(4, 0.6)?])
}

fn flat_sinkhorn(engine: &Engine) -> Result<Vec<f64>> {
    let [a, b] = clouds()?;
    let bracket = Sinkhorn::new().max_iterations(8).solve(&a, &b, engine)?;
    Ok(vec![bracket.distance.lower, bracket.distance.upper])
}

fn flat_networks(engine: &Engine) -> Result<Vec<f64>> {
    let [a, b] = clouds()?;
    let mut all = Vec::new();
    for training in [Training::tight(), Training::paper()] {
        let trained = training.hidden([4, 4]).group(Some(2)).epochs(3).solve(&a, &b, engine)?;
        all.extend([trained.learned, trained.distance.lower]);
    }
    Ok(all)
}

fn sound(engine: &Engine) -> Result<Vec<f64>> {
    let mut heard = [Array2::zeros((2, 12)), Array2::zeros((2, 12))];
    for (frequency, frame, delay) in [(0, 2, 2_i32), (0, 8, -1), (1, 4, 2)] {
        heard[0][[frequency, frame as usize]] = 2.0;
        heard[1][[frequency, (frame + delay) as usize]] = 2.0;
    }
    let start = Start::Given(vec![array![[0.0, 1.0], [0.0, -1.5]]]);
    let problem = Separation::new(&heard, 2)?.start(start).epsilons([1.0]).max_lag(4.0);
    let problem = problem.inner_iterations(2).max_iterations(2).mask_iterations(3);
    let solved = problem.solve(engine)?;
    Ok(solved.delays.iter().chain(solved.masks.iter().flatten()).copied().collect())
}
