//! Spaces that a law leads to: on grids of their own, and by transport from frame to frame.

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{
    Bins, Control, Domain, Form, Frames, JointLaw, Map, Method, Places, Problem, Solution, Space,
};
use gaspard::{Engine, Error};
use ndarray::{Array2, Axis};

use super::common::engines;
use super::{distance, fixed, gaussian, run, tight};

/// The mass within 0.15 of the middle at half time.
fn mass_on_the_hill(solution: &Solution) -> f64 {
    let steps = solution.density.shape()[0] - 1;
    let middle = solution.density.index_axis(Axis(0), steps / 2);
    let sides = [middle.shape()[0] as f64, middle.shape()[1] as f64];
    let near = middle.indexed_iter().filter(|(place, _)| {
        let x = |axis: usize| (place[axis] as f64 + 0.5) / sides[axis] - 0.5;
        x(0).hypot(x(1)) < 0.15
    });
    near.map(|(_, value)| value).sum::<f64>() / middle.sum()
}

/// Example 6.3a on 24 x 24 x 16: the totals of the prototype, and below that of shared particles.
#[test]
fn coupled_grids_find_the_oracle_values() {
    let example = Example::named("6.3a").unwrap();
    for (beta, total, first, second) in [(0.1, 0.813, 0.791, 0.218), (1.0, 0.873, 0.841, 0.032)] {
        let problem = example.problem([24, 24], 16, Form::Coupled, beta).unwrap();
        let control = Control { sigma: 0.3, max_iterations: 4000, ..Control::default() };
        let solution = run(&problem, &control, &Engine::cpu());
        assert!(solution.outcome.converged, "{:?}", solution.residuals);
        assert!((solution.total / total - 1.0).abs() < 1e-2, "{}", solution.total);
        assert!((solution.costs[0] / first - 1.0).abs() < 2e-2, "{:?}", solution.costs);
        // It falls with the residual of the coupling, which is 1e-3 of a density with long tails.
        assert!((solution.costs[1] / second - 1.0).abs() < 0.2, "{:?}", solution.costs);
        assert!(mass_on_the_hill(&solution) < 0.1);
        let monge = example.problem([24, 24], 16, Form::Monge, beta).unwrap();
        let monge = run(&monge, &Control::default(), &Engine::cpu());
        assert!(solution.total < monge.total, "{} {}", solution.total, monge.total);
        // What moves on the bins is what the law makes of the density.
        let own = &solution.coupled[0].as_ref().unwrap().density;
        let through = solution.density_of(&problem, 1).unwrap() * 32.0;
        assert!(distance(own, &through) < 5e-3, "{}", distance(own, &through));
    }
}

/// The same space twice, by the identity as a law: the density is that of one space, and every
/// cost is counted twice.
#[test]
fn a_space_tied_to_itself_doubles_the_cost() {
    let domain = Domain::new(&[12, 10], 8).unwrap();
    let ends = [[0.35, 0.4], [0.6, 0.6]].map(|centre| gaussian(&domain, &centre, 0.12));
    let alone = Problem::new(&domain, ends[0].view(), ends[1].view()).unwrap();
    let bins = Bins::new(&[12, 10], &[0.0, 0.0], &[1.0, 1.0]).unwrap();
    let coupled = Space::coupled(JointLaw::identity(120), bins.clone()).unwrap();
    let tied = alone.clone().space(coupled, 1.0).unwrap();
    for engine in engines() {
        let one = run(&alone, &tight(), &engine);
        let two = run(&tied, &tight(), &engine);
        assert!(two.outcome.converged, "{engine:?}: {:?}", two.residuals);
        assert!((two.costs[1] / two.costs[0] - 1.0).abs() < 2e-3, "{:?}", two.costs);
        assert!((two.total / (2.0 * one.total) - 1.0).abs() < 1e-3, "{} {}", two.total, one.total);
        assert!(distance(&two.density, &one.density) < 2e-2);
    }
    let elsewhere = Space::coupled(JointLaw::identity(100), bins);
    assert!(matches!(elsewhere, Err(Error::Shape { .. })));
}

/// Costs of frames on a line by all three methods: the same motion, and about that of coupled grids
/// (which is itself 2 % from the limit on these cells).
#[test]
fn methods_agree_on_frames_of_a_line() {
    let example = Example::named("6.3a").unwrap();
    let problem = example.problem([24, 24], 16, Form::Kantorovich, 0.1).unwrap();
    let solve = |method| run(&problem, &Control { method, ..fixed(500, 0.2) }, &Engine::cpu());
    let all = [Method::Yan, Method::CondatVu, Method::Pdfp].map(solve);
    for solution in &all {
        let residuals = solution.residuals;
        assert!(residuals.consistency < 1e-3 && residuals.stationarity < 1e-2, "{residuals:?}");
        assert!((solution.total / all[0].total - 1.0).abs() < 1e-4, "{}", solution.total);
        assert!(distance(&solution.density, &all[0].density) < 1e-2);
        // The total of coupled grids in the prototype.
        assert!((solution.total / 0.813 - 1.0).abs() < 2e-2, "{}", solution.total);
        assert!(mass_on_the_hill(solution) < 0.1);
        // Exact transport does without the share that is spread evenly, which takes a part of it.
        let exact = solution.exact_cost(&problem, 1, &mut || false).unwrap().unwrap();
        let ratio = solution.costs[1] / exact;
        assert!(ratio > 0.5 && ratio < 1.05, "{exact} {:?}", solution.costs);
    }
}

/// Static transport of the whole way is what frames at both ends cost; entropic transport between
/// bins comes near what shared densities find.
#[test]
fn entropic_frames_come_near_the_shared_form() {
    let domain = Domain::new(&[16, 16], 8).unwrap();
    let ends = [[0.3, 0.3], [0.7, 0.7]].map(|centre| gaussian(&domain, &centre, 0.1));
    let bent = Map::from_fn(&domain, |x| vec![x[0], x[1] + 0.2 * (3.0 * x[0]).sin()]).unwrap();
    let alone = Problem::new(&domain, ends[0].view(), ends[1].view()).unwrap();
    let shared = alone.clone().space(Space::density(bent.clone()), 1.0).unwrap();
    let shared = run(&shared, &tight(), &Engine::cpu());
    let bins = Bins::around(&bent, &[16, 16]).unwrap();
    let law = JointLaw::deposit(&bent, &bins).unwrap();
    let frames = Frames::new(law, Places::Bins(bins)).sweeps(5);
    let tied = alone.space(Space::frames(frames).unwrap().known_as(bent), 1.0).unwrap();
    for engine in engines() {
        let control = Control { method: Method::Yan, ..fixed(300, 0.2) };
        let solution = run(&tied, &control, &engine);
        let ratios = [0, 1].map(|space| solution.costs[space] / shared.costs[space]);
        assert!((ratios[0] - 1.0).abs() < 0.05, "{engine:?}: {ratios:?}");
        // The evenly spread share and the blur take some of the cost away.
        assert!(ratios[1] > 0.8 && ratios[1] < 1.1, "{engine:?}: {ratios:?}");
        assert!(solution.density.iter().all(|density| density.is_finite()));
    }
}

/// A law as a matrix, its compressed rows and its Markov kernel are one and the same, and points of
/// one axis go along with particles in another space.
#[test]
fn laws_and_particles_go_together() {
    let domain = Domain::new(&[10], 6).unwrap();
    let ends = [0.3, 0.7].map(|centre| gaussian(&domain, &[centre], 0.12));
    let law = Array2::from_shape_fn((10, 4), |(i, j)| {
        let apart = i as f64 / 9.0 - j as f64 / 3.0;
        (0.1 + i as f64) * (-8.0 * apart * apart).exp()
    });
    let points = Places::Points(Array2::from_shape_fn((4, 1), |(j, _)| j as f64 / 3.0));
    let space = |law: JointLaw| {
        let frames = Frames::new(law, points.clone()).floor(0.05);
        Space::frames(frames).unwrap()
    };
    let kernel = &law / &law.sum_axis(Axis(1)).insert_axis(Axis(1));
    let slow = Map::from_fn(&domain, |x| vec![2.0 * x[0]]).unwrap();
    let solutions = [law, kernel].map(|law| {
        let problem = Problem::new(&domain, ends[0].view(), ends[1].view()).unwrap();
        let problem = problem.space(Space::particles(slow.clone()), 0.5).unwrap();
        let problem = problem.space(space(JointLaw::joint(law.view()).unwrap()), 0.3).unwrap();
        let solution =
            run(&problem, &Control { method: Method::Yan, ..fixed(200, 0.2) }, &Engine::cpu());
        let weighted = solution.costs[0] + 0.5 * solution.costs[1] + 0.3 * solution.costs[2];
        assert!((solution.total - weighted).abs() < 1e-12);
        assert!((solution.costs[1] / (4.0 * solution.costs[0]) - 1.0).abs() < 1e-9);
        let path = solution.mean_path(&problem, 2).unwrap();
        assert!(path[[0, 0]] < path[[3, 0]] && path[[3, 0]] < path[[6, 0]]);
        solution
    });
    assert!(distance(&solutions[0].density, &solutions[1].density) < 1e-9);
}

/// Whoever stops a solve while it is still looking for a good start stops the whole of it.
#[test]
fn a_solve_is_stopped_at_its_start() {
    let problem = Example::named("6.3a").unwrap();
    let problem = problem.problem([10, 10], 6, Form::Kantorovich, 0.1).unwrap();
    let control = Control { method: Method::Yan, tolerance: 0.0, ..Control::default() };
    let mut looks = 0;
    let mut once = |progress: &gaspard::Progress| {
        looks += 1;
        match progress.part {
            (1, 2) if looks == 1 => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        }
    };
    let solution = problem.solve_with(&control, &Engine::cpu(), &mut once).unwrap();
    assert!(solution.outcome.interrupted && !solution.outcome.converged);
    assert_eq!(solution.outcome.iterations, 1);
    // And a cost that was cut short is none.
    let cells = problem.domain().cells().to_vec();
    let map = Map::scaling(&Domain::new(&cells, 6).unwrap(), 2.0).unwrap();
    let flat = gaussian(problem.domain(), &[0.4, 0.4], 0.2);
    let other = gaussian(problem.domain(), &[0.6, 0.5], 0.2);
    let tied = Problem::new(problem.domain(), flat.view(), other.view()).unwrap();
    let tied = tied.space(Space::frames(Frames::of_cells(&map)).unwrap(), 0.1).unwrap();
    let solution = run(&tied, &Control { method: Method::Yan, ..fixed(2, 0.2) }, &Engine::cpu());
    assert!(solution.exact_cost(&tied, 1, &mut || false).unwrap().unwrap() > 0.0);
    assert_eq!(solution.exact_cost(&tied, 1, &mut || true).unwrap(), None);
}

#[test]
fn what_frames_cannot_be_is_refused() {
    let domain = Domain::new(&[4, 5], 6).unwrap();
    let flat = gaussian(&domain, &[0.5, 0.5], 1.0);
    let problem = Problem::new(&domain, flat.view(), flat.view()).unwrap();
    let map = Map::from_fn(&domain, |x| vec![x[0]]).unwrap();
    let frames = || {
        let bins = Bins::usual(&map).unwrap();
        Frames::new(JointLaw::deposit(&map, &bins).unwrap(), Places::Bins(bins))
    };
    for bad in [
        frames().stride(4),
        frames().stride(0),
        frames().floor(0.0),
        frames().floor(1.0),
        frames().epsilon(-1.0),
        frames().sweeps(0),
    ] {
        let refused = problem.clone().space(Space::frames(bad).unwrap(), 1.0);
        assert!(matches!(refused, Err(Error::Parameter { .. })));
    }
    let tied = problem.clone().space(Space::frames(frames()).unwrap(), 1.0).unwrap();
    assert!(tied.clone().unbalanced(1.0).unwrap().validate().is_err());
    let coupled = Form::Coupled.space(map.clone(), None).unwrap();
    let both = tied.space(coupled, 1.0).unwrap();
    let control = Control { method: Method::Pdfp, ..Control::default() };
    let refused = both.solve(&control, &Engine::cpu());
    assert!(matches!(refused, Err(Error::Parameter { .. })));
    let constant = Map::from_fn(&domain, |_| vec![1.0]).unwrap();
    assert!(matches!(Form::Coupled.space(constant, None), Err(Error::Data { .. })));
}
