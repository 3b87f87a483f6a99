//! Whole solves on both engines: the same iterations, far enough to be near the optimum.

use ndarray::Array1;

use super::random::Random;
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Measure, Support};
use crate::linear::tree::Tree;
use crate::linear::{Control, Law, Transport};

const EPSILON: f64 = 0.05;
/// Potentials are rounded in units of epsilon, like the costs, which are at most about 1.5; every
/// marginal and the value are off by that many roundoffs. Iterations contract what came before.
const ALLOWED: f64 = 2.0 * ROUNDOFF * (2.0 + 1.5 / EPSILON);

/// The same path on both engines: no decision depends on a residual.
fn control() -> Control {
    Control {
        tolerance: Some(f64::MIN_POSITIVE),
        max_iterations: 60,
        annealing: 1.0,
        relaxation: Some(1.0),
        ..Control::new(EPSILON)
    }
}

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (laws, name) in [
        ((Law::Fixed, Law::Fixed), "transport, fixed laws"),
        ((Law::Kl { rho: 0.5 }, Law::Fixed), "transport, laws kl:0.5 and fixed"),
        (
            (Law::Tv { rho: 0.5 }, Law::Range { low: 0.5, high: 1.5 }),
            "transport, laws tv and range",
        ),
    ] {
        cases.push(transport(random, laws, name)?);
    }
    cases.push(star(random)?);
    Ok(cases)
}

/// Weights that sum to one; one of them is zero.
fn weights(random: &mut Random, count: usize) -> Array1<f64> {
    let mut weights = Array1::from(random.vector(count, 0.5, 1.0));
    weights[count / 3] = 0.0;
    let mass = weights.sum();
    weights / mass
}

fn transport(random: &mut Random, laws: (Law, Law), name: &str) -> Result<Case> {
    let mut cloud = |name, count| {
        let points = random.matrix(count, 2, 0.0, 1.0);
        Measure::new(name, weights(random, count), Support::Points(points))
    };
    let (a, b) = (cloud("a", 60)?, cloud("b", 70)?);
    Ok(Case {
        kernel: "solve",
        name: name.to_owned(),
        unit: Unit::Relative,
        allowed: ALLOWED,
        work: Box::new(move |engine| {
            let problem = Transport::between(&a, &b).laws(laws.0, laws.1).cost(Cost::Euclidean);
            let solved = problem.control(control()).epsilon(EPSILON).solve(engine)?;
            let (p, q) = solved.marginals();
            Ok(p.iter().chain(q).copied().chain([solved.value()]).collect())
        }),
    })
}

/// Three measures around a free centre: a matrix, points and a grid for the edges.
fn star(random: &mut Random) -> Result<Case> {
    let mut problem = Tree::default();
    let centre = problem.free_node(36);
    let leaves = [30, 25, 36].map(|count| problem.node(weights(random, count), Law::Fixed));
    problem.edge(centre, leaves[0], Geometry::matrix(random.matrix(36, 30, 0.0, 1.0))?);
    let (x, y) = (random.matrix(25, 3, 0.0, 1.0), random.matrix(36, 3, 0.0, 1.0));
    problem.edge(leaves[1], centre, Geometry::points(x, y, Cost::SquaredEuclidean)?);
    let axes = vec![random.matrix(6, 6, 0.0, 0.5), random.matrix(6, 6, 0.0, 0.5)];
    problem.edge(centre, leaves[2], Geometry::Separable(axes));
    Ok(Case {
        kernel: "solve",
        name: "tree, a star with a free centre".to_owned(),
        unit: Unit::Relative,
        allowed: ALLOWED,
        work: Box::new(move |engine| {
            let solved = problem.solve(&control(), engine)?;
            let marginals = solved.marginals.iter().flatten().copied();
            Ok(marginals.chain([solved.terms.total()]).collect())
        }),
    })
}
