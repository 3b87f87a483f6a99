//! A solve that goes on from a checkpoint does what one does that was never stopped, to the bit.

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{
    Checkpoint, Control, Domain, Form, Frames, JointLaw, Map, Method, Places, Problem, Solution,
    Space,
};
use gaspard::{Engine, Error};

use super::common::engines;
use super::{fixed, gaussian};

fn solve(
    problem: &Problem,
    control: &Control,
    engine: &Engine,
    from: Option<&Checkpoint>,
) -> (Solution, Checkpoint) {
    let mut last = None;
    let mut keep = |checkpoint: &Checkpoint| {
        last = Some(checkpoint.clone());
        Ok(())
    };
    let solution = problem.solve_from(from, control, engine, &mut (), Some(&mut keep)).unwrap();
    (solution, last.expect("one is kept in the end"))
}

/// Every kind of space at once.
fn problems() -> Vec<(&'static str, Problem, Control)> {
    let example = Example::named("6.2a").unwrap();
    let tied = |form: Form| example.problem([9, 8], 6, form, 0.7).unwrap();
    let control = Control { growth: 1.01, largest_sigma: 0.5, ..fixed(37, 0.2) };
    let smooth = Control { method: Method::Yan, warm_iterations: 20, ..control.clone() };
    let domain = Domain::new(&[9, 8], 6).unwrap();
    let map = Map::from_fn(&domain, |x| vec![x[0], x[0] * x[1]]).unwrap();
    let ends = [[0.3, 0.4], [0.6, 0.6]].map(|centre| gaussian(&domain, &centre, 0.15));
    let places = Places::Points(map.values().clone());
    let frames = Frames::new(JointLaw::identity(72), places).sweeps(3).floor(0.05).stride(2);
    let points = Problem::new(&domain, ends[0].view(), ends[1].view()).unwrap();
    let points = points.space(Space::frames(frames).unwrap().known_as(map), 0.5).unwrap();
    vec![
        ("particles", tied(Form::Monge), control.clone()),
        ("coupled", tied(Form::Coupled), control),
        ("frames on a line", tied(Form::Kantorovich), smooth.clone()),
        ("frames of points", points, smooth),
    ]
}

#[test]
fn a_checkpoint_leads_to_the_same_bits() {
    for (name, problem, control) in problems() {
        for engine in engines() {
            let (whole, _) = solve(&problem, &control, &engine, None);
            // Neither at a look at the residuals nor in the end.
            let first = Control { max_iterations: 23, ..control.clone() };
            let (_, checkpoint) = solve(&problem, &first, &engine, None);
            let (rest, _) = solve(&problem, &control, &engine, Some(&checkpoint));
            assert_eq!(rest.outcome.iterations, 37);
            assert_eq!(rest.density, whole.density, "{name} {engine:?}");
            assert_eq!(rest.momenta, whole.momenta, "{name} {engine:?}");
            assert_eq!(rest.costs, whole.costs, "{name} {engine:?}");
            assert_eq!(rest.trace.last().unwrap().residuals, whole.residuals);
        }
    }
}

#[test]
fn checkpoints_of_something_else_are_refused() {
    let mut all = problems();
    let (_, coupled, _) = all.remove(1);
    let (_, particles, control) = all.remove(0);
    let (_, checkpoint) = solve(&particles, &control, &Engine::cpu(), None);
    let refused = |problem: &Problem, checkpoint: &Checkpoint| {
        let found = problem.solve_from(Some(checkpoint), &control, &Engine::cpu(), &mut (), None);
        matches!(found, Err(Error::Data { .. }))
    };
    assert!(refused(&coupled, &checkpoint));
    let heavier = Example::named("6.2a").unwrap().problem([9, 8], 6, Form::Monge, 0.8).unwrap();
    assert!(refused(&heavier, &checkpoint));
    // Two laws with the same weights, each cell sent to one point.
    let domain = Domain::new(&[9, 8], 6).unwrap();
    let end = gaussian(&domain, &[0.5, 0.5], 0.2);
    let sent = |to: fn(usize) -> usize| {
        let joint = ndarray::Array2::from_shape_fn((72, 72), |(cell, point)| {
            f64::from(u8::from(to(cell) == point))
        });
        let points = ndarray::Array2::from_shape_fn((72, 1), |(point, _)| point as f64 / 72.0);
        let frames = Frames::new(JointLaw::joint(joint.view()).unwrap(), Places::Points(points));
        let problem = Problem::new(&domain, end.view(), end.view()).unwrap();
        problem.space(Space::frames(frames.sweeps(3).floor(0.05)).unwrap(), 0.5).unwrap()
    };
    let (here, there) = (sent(|cell| cell), sent(|cell| 71 - cell));
    let control = Control { method: Method::Yan, warm_iterations: 0, ..fixed(2, 0.2) };
    let (_, checkpoint) = solve(&here, &control, &Engine::cpu(), None);
    let resume = |problem: &Problem, checkpoint: &Checkpoint| {
        problem.solve_from(Some(checkpoint), &control, &Engine::cpu(), &mut (), None)
    };
    assert!(resume(&here, &checkpoint).is_ok());
    assert!(matches!(resume(&there, &checkpoint), Err(Error::Data { .. })));
    // The numbers of the iteration are missing.
    let arrays = checkpoint.arrays().iter().filter(|(name, _)| name != "pace").cloned();
    assert!(refused(&particles, &Checkpoint::from_arrays(arrays.collect())));
    // Numbers that count nothing.
    for name in ["iteration", "trace", "pace"] {
        for wrong in [1e300, -1.0, 0.5, f64::NAN] {
            let mut arrays = checkpoint.arrays().to_vec();
            let (_, array) = arrays.iter_mut().find(|(found, _)| found == name).unwrap();
            // Of the pace, the last one counts looks.
            let place = if name == "pace" { array.len() - 1 } else { 0 };
            array[[place]] = wrong;
            assert!(refused(&particles, &Checkpoint::from_arrays(arrays)), "{name} {wrong}");
        }
    }
}
