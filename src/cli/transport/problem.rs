//! The problem that the arguments describe: two measures, and what moving mass costs.

use std::path::Path;
use std::sync::Arc;

use gaspard::linear::tree::MASS_ROUNDING;
use gaspard::{Cost, Engine, Error, Geometry, Law, Measure, Result, Support};
use ndarray::Array1;

use super::Arguments;
use crate::cli::inputs::{self, Input, looks_like_points};
use crate::cli::options::As;
use crate::cli::outputs::rounded;
use crate::cli::session::Session;

/// Two measures, and what moving mass from one to the other costs.
pub(super) struct Problem {
    pub a: Measure,
    pub b: Measure,
    costs: Costs,
}

enum Costs {
    /// Those between the supports.
    Between(Cost),
    /// Those given.
    Matrix(Arc<Geometry>),
}

impl Problem {
    /// Reads the files, says how each was understood, and refuses what cannot be transported.
    pub(super) fn read(arguments: &Arguments, session: &Session) -> Result<Self> {
        let (mut problem, names) = match (&arguments.cost_matrix, &arguments.a, &arguments.b) {
            (Some(costs), a, b) => {
                let problem =
                    Self::of_matrix(costs, [a.as_deref(), b.as_deref()], arguments, session)?;
                (problem, ["the rows".to_owned(), "the columns".to_owned()])
            }
            (None, Some(a), Some(b)) => {
                let problem = Self::of_supports(a, b, arguments, session)?;
                (problem, [a.display().to_string(), b.display().to_string()])
            }
            // clap has refused this already.
            _ => return Err(Error::parameter("A and B", "one is missing", "give two inputs")),
        };
        if arguments.normalise {
            problem.a = problem.a.normalised();
            problem.b = problem.b.normalised();
        }
        problem.settle_masses(arguments, &names)?;
        Ok(problem)
    }

    /// The costs in the form that solvers take them.
    ///
    /// # Errors
    /// Those of supports that do not fit together.
    pub(super) fn geometry(&self) -> Result<Arc<Geometry>> {
        match &self.costs {
            Costs::Between(cost) => {
                Geometry::between(self.a.support(), self.b.support(), *cost).map(Arc::new)
            }
            Costs::Matrix(geometry) => Ok(Arc::clone(geometry)),
        }
    }

    /// Refuses a dense matrix between the measures for which there is no room.
    pub(super) fn require_dense(&self, what: &str, host: &Engine, remedy: &str) -> Result<()> {
        let pairs = self.a.weights().len() as u64 * self.b.weights().len() as u64;
        host.require(what, pairs.saturating_mul(8), remedy)
    }

    /// The cost between the supports; none where costs were given.
    pub(super) fn cost(&self) -> Option<Cost> {
        match self.costs {
            Costs::Between(cost) => Some(cost),
            Costs::Matrix(_) => None,
        }
    }

    /// What the record calls the cost.
    pub(super) fn cost_name(&self) -> String {
        self.cost().map_or("matrix".to_owned(), |cost| cost.to_string())
    }

    fn of_matrix(
        costs: &Path,
        inputs: [Option<&Path>; 2],
        arguments: &Arguments,
        session: &Session,
    ) -> Result<Self> {
        let host = session.host();
        let costs = inputs::read_costs(costs, &host)?;
        let (n, m) = costs.dim();
        session.note(&format!("costs: a matrix of {n} x {m}"));
        let flags = [&arguments.weights_a, &arguments.weights_b];
        let sides = [("the rows", "A", "--weights-a", n), ("the columns", "B", "--weights-b", m)];
        let mut measures = Vec::with_capacity(2);
        for (((side, input, option, count), given), flag) in
            sides.into_iter().zip(inputs).zip(flags)
        {
            let path = match (given, flag) {
                (Some(_), Some(_)) => {
                    return Err(Error::parameter(
                        option,
                        format!("{input} gives these weights already"),
                        "leave one of them out",
                    ));
                }
                (given, flag) => given.or(flag.as_deref()),
            };
            let weights = path.map(inputs::read_weights).transpose()?;
            let name = path.map_or(side.to_owned(), |path| path.display().to_string());
            measures.push(inputs::weighted(&name, weights, Support::Abstract(count))?);
        }
        let [a, b] = <[Measure; 2]>::try_from(measures).unwrap_or_else(|_| unreachable!());
        Ok(Self { a, b, costs: Costs::Matrix(Arc::new(Geometry::matrix(costs)?)) })
    }

    fn of_supports(a: &Path, b: &Path, arguments: &Arguments, session: &Session) -> Result<Self> {
        let mass = arguments.mass.into();
        let (a, b) = (Input::read(a, mass)?, Input::read(b, mass)?);
        let (points_a, points_b) = (
            is_points(&a, &b, arguments.read_as, arguments.weights_a.is_some())?,
            is_points(&b, &a, arguments.read_as, arguments.weights_b.is_some())?,
        );
        let a = measure(a, points_a, arguments.weights_a.as_deref(), arguments.cost, session)?;
        let b = measure(b, points_b, arguments.weights_b.as_deref(), arguments.cost, session)?;
        // Supports that do not fit together are refused before a device is opened for them.
        Geometry::between(a.support(), b.support(), arguments.cost)?;
        Ok(Self { a, b, costs: Costs::Between(arguments.cost) })
    }

    /// Gives both measures one mass where the laws ask for it and they differ by rounding only.
    fn settle_masses(&mut self, arguments: &Arguments, names: &[String; 2]) -> Result<()> {
        let (mass_a, mass_b) = (self.a.mass(), self.b.mass());
        if !(arguments.law_a.fixes_mass() && arguments.law_b.fixes_mass()) {
            return check_ranges([(arguments.law_a, mass_a), (arguments.law_b, mass_b)]);
        }
        if (mass_a - mass_b).abs() > MASS_ROUNDING * mass_a.max(mass_b) {
            let [a, b] = names;
            let (in_a, in_b) = (rounded(mass_a), rounded(mass_b));
            return Err(Error::data(
                "the masses",
                format!("{a} has mass {in_a} and {b} has {in_b}, but both marginals are fixed"),
                "add --normalise, or relax one with --law-a or --law-b",
            ));
        }
        let scaled: Array1<f64> = self.b.weights() * (mass_a / mass_b);
        self.b = Measure::new(&names[1], scaled, self.b.support().clone())?;
        Ok(())
    }
}

/// Refuses laws that want masses which no coupling can have both.
fn check_ranges(laws: [(Law, f64); 2]) -> Result<()> {
    let [a, b] = laws.map(|(law, mass)| law.masses(mass));
    if a.0.max(b.0) <= a.1.min(b.1) * (1.0 + MASS_ROUNDING) {
        return Ok(());
    }
    let [a, b] = [a, b].map(|(low, high)| format!("{} to {}", rounded(low), rounded(high)));
    Err(Error::parameter(
        "--law-a and --law-b",
        format!("A has to carry a mass of {a} and B one of {b}, which no coupling does"),
        "add --normalise, or give ranges that meet",
    ))
}

/// Whether an input holds points, in the light of the other one.
fn is_points(input: &Input, other: &Input, read_as: As, weighted: bool) -> Result<bool> {
    match (input.is_picture, read_as, weighted) {
        (true, _, true) | (false, As::Density, true) => Err(Error::parameter(
            "--weights-a, --weights-b",
            format!("{} is a density, which has weights of its own", input.name()),
            "give weights with points only",
        )),
        (true, _, false) | (false, As::Density, false) => Ok(false),
        (false, As::Points, _) | (false, As::Auto, true) => Ok(true),
        (false, As::Auto, false) => Ok(looks_like_points(input)
            || (looks_like_points(other) && same_columns(input, other))
            || (same_columns(input, other) && input.matrix_side(0) != other.matrix_side(0))),
    }
}

fn same_columns(input: &Input, other: &Input) -> bool {
    let columns = |input: &Input| input.matrix_side(1).filter(|_| !input.is_picture);
    columns(input).is_some() && columns(input) == columns(other)
}

fn measure(
    input: Input,
    is_points: bool,
    weights: Option<&Path>,
    cost: Cost,
    session: &Session,
) -> Result<Measure> {
    let name = input.name();
    if !is_points {
        let measure = input.density()?;
        let (sides, mass) = (input.sides(), rounded(measure.mass()));
        session.note(&format!("{name}: read as a density on {sides} cells, mass {mass}"));
        return Ok(measure);
    }
    let points = input.points()?;
    let (count, dimension) = points.dim();
    let support = match cost {
        Cost::GreatCircle(_) => inputs::on_sphere(&name, &points)?,
        _ => Support::Points(points),
    };
    let given = weights.map(inputs::read_weights).transpose()?;
    let kind = if given.is_some() { "weights from a file" } else { "uniform weights" };
    let measure = inputs::weighted(&name, given, support)?;
    let mass = rounded(measure.mass());
    session.note(&format!(
        "{name}: read as {count} points of dimension {dimension}, {kind}, mass {mass}"
    ));
    Ok(measure)
}
