//! Dynamic transport: iterations, the Poisson equation alone, and a whole solve.

use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::dynamic::paper::Example;
use crate::dynamic::{Control, Form};
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::kernels::dynamic::divergence::divergence;
use crate::kernels::dynamic::dual::DualStep;
use crate::kernels::dynamic::poisson::Poisson;
use crate::kernels::dynamic::primal_dual::primal_dual;
use crate::kernels::dynamic::{Layout, SpaceTime};

/// Numbers that an iteration reads and writes per cell, with two axes of space and one field: 7 in
/// `divergence`, 10 in five passes of cosine transforms, 15 in `primal_dual`.
const NUMBERS: f64 = 32.0;
const NUMBERS_OF_POISSON: f64 = 10.0;

/// Cells along both axes of space, and steps of time.
type Sides = [usize; 3];

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let (small, usual) = ([16, 16, 8], [64, 64, 32]);
    let mut sizes = vec![if context.scale == Scale::Software { small } else { usual }];
    let solved = sizes[0];
    if !context.quick && context.scale != Scale::Software {
        sizes.extend([[256, 256, 64], [512, 512, 128]]);
    }
    let mut cases = Vec::new();
    for &sides in &sizes {
        cases.push(Case::new("dynamic iteration", move |context| iteration(context, sides)));
    }
    for &sides in &sizes {
        cases.push(Case::new("dynamic poisson", move |context| poisson(context, sides)));
    }
    cases.push(Case::new("dynamic example 6.2b", move |context| example(context, solved)));
    cases
}

/// The kernels of an iteration over example 6.2b of the paper with weight 1, one by one.
pub struct Iteration {
    engine: Engine,
    layout: Layout,
    poisson: Poisson,
    end: Array,
    metric: Array,
    states: [Array; 2],
    duals: [Array; 2],
    roots: Array,
    pressure: Array,
}

impl Iteration {
    const SIGMA: f64 = 0.2;
    const STEP: DualStep =
        DualStep { sigma: Self::SIGMA, relaxation: 1.9, extrapolation: 2.0 / 1.9, reaction: 1.0 };

    /// # Errors
    /// [`Error::Limit`] where there is not the memory.
    pub fn new(engine: &Engine, sides: [usize; 3]) -> Result<Self> {
        let [rows, cols, steps] = sides;
        let layout = layout(sides);
        let (cells, places, numbers) =
            (layout.grid.cells(), layout.grid.places(), layout.numbers());
        let bytes = (4 * numbers + 2 * cells) as u64 * engine.bytes_per_number();
        engine.require("an iteration", bytes, "use a coarser grid")?;
        let centre = |place: usize| {
            let along = |cell: usize, cells: usize| (cell as f64 + 0.5) / cells as f64;
            [along(place / cols, rows), along(place % cols, cols)]
        };
        let bump = |[x, y]: [f64; 2], [a, b]: [f64; 2], width: f64| {
            (-((x - a).powi(2) + (y - b).powi(2)) / (2.0 * width * width)).exp()
        };
        let density = |middle: f64| -> Vec<f64> {
            let values: Vec<f64> =
                (0..places).map(|place| bump(centre(place), [middle; 2], 0.08)).collect();
            let mean = values.iter().sum::<f64>() / places as f64;
            values.iter().map(|value| value / mean).collect()
        };
        let (start, end) = (density(0.2), density(0.8));
        // G = I + grad h grad h^T, by its eigenvectors: along the slope of two hills, and across.
        let mut metric = vec![1.0; layout.metric_numbers() * places];
        for place in 0..places {
            let at = centre(place);
            let slope = [0, 1].map(|axis| -> f64 {
                let hills = [[0.25, 0.75], [0.75, 0.25]];
                hills
                    .map(|hill| (hill[axis] - at[axis]) / 0.0225 * bump(at, hill, 0.15))
                    .iter()
                    .sum()
            });
            let length = slope[0].hypot(slope[1]).max(f64::MIN_POSITIVE);
            let [x, y] = slope.map(|part| part / length);
            for (number, value) in [1.0 + length * length, 1.0, x, -y, y, x].into_iter().enumerate()
            {
                metric[number * places + place] = value;
            }
        }
        let time = |step: usize| step as f64 / steps as f64;
        let between = (0..cells).map(|cell| {
            let (time, place) = (time(cell / places), cell % places);
            (1.0 - time) * start[place] + time * end[place]
        });
        let state = std::iter::repeat_n(0.0, numbers - cells).chain(between);
        Ok(Self {
            poisson: Poisson::new(engine, &layout.grid, &layout.rates, layout.fields, 0.0)?,
            end: engine.upload("the end", &end)?,
            metric: engine.upload("metric", &metric)?,
            states: [engine.collect("state", numbers, state)?, engine.zeros("state", numbers)?],
            duals: [engine.zeros("dual", numbers)?, engine.zeros("dual", numbers)?],
            roots: engine.zeros("roots", cells)?,
            pressure: engine.zeros("pressure", cells)?,
            engine: engine.clone(),
            layout,
        })
    }

    /// # Errors
    /// Any fault of the device, as of the others.
    pub fn divergence(&mut self) -> Result<()> {
        let Self { engine, layout, end, states, duals, pressure, .. } = self;
        divergence(engine, layout, &states[0], &duals[0], end, None, 1.0 / Self::SIGMA, pressure)
    }

    pub fn poisson(&mut self) -> Result<()> {
        self.poisson.solve(&self.engine, &mut self.pressure)
    }

    pub fn primal_dual(&mut self) -> Result<()> {
        let Self { engine, layout, end, metric, states, duals, roots, pressure, .. } = self;
        let [state, next] = states;
        let [dual, next_dual] = duals;
        primal_dual(
            engine,
            layout,
            (state, dual),
            pressure,
            None,
            end,
            metric,
            1.0 / Self::SIGMA,
            Self::STEP,
            roots,
            (next, next_dual),
        )
    }

    /// All of them, and on to the next iteration.
    pub fn run(&mut self) -> Result<()> {
        let engine = self.engine.clone();
        engine.in_a_row(|| {
            self.divergence()?;
            self.poisson()?;
            self.primal_dual()
        })?;
        self.states.swap(0, 1);
        self.duals.swap(0, 1);
        Ok(())
    }
}

/// A Poisson equation whose eigenvalues are about 1, so that it can be solved in place over and over.
pub struct SteadyPoisson {
    engine: Engine,
    poisson: Poisson,
    values: Array,
}

impl SteadyPoisson {
    /// # Errors
    /// [`Error::Limit`] where there is not the memory.
    pub fn new(engine: &Engine, sides: [usize; 3]) -> Result<Self> {
        let grid = layout(sides).grid;
        let values = (0..grid.cells()).map(|cell| (cell % 31) as f64);
        Ok(Self {
            poisson: Poisson::new(engine, &grid, &[1e-3; 3], 1, 1.0)?,
            values: engine.collect("d", grid.cells(), values)?,
            engine: engine.clone(),
        })
    }

    /// # Errors
    /// Any fault of the device.
    pub fn solve(&mut self) -> Result<()> {
        self.poisson.solve(&self.engine, &mut self.values)
    }
}

fn layout([rows, cols, steps]: Sides) -> Layout {
    let grid = SpaceTime { time: steps, space: vec![rows, cols] };
    let rates = grid.lengths().into_iter().map(|cells| cells as f64).collect();
    Layout { grid, rates, fields: 1, source: false }
}

fn iteration(context: &Context<'_>, sides: Sides) -> Result<Timed> {
    let made = Iteration::new(context.engine, sides);
    timed(context, sides, NUMBERS, made, Iteration::run)
}

fn poisson(context: &Context<'_>, sides: Sides) -> Result<Timed> {
    let made = SteadyPoisson::new(context.engine, sides);
    timed(context, sides, NUMBERS_OF_POISSON, made, SteadyPoisson::solve)
}

/// Times what reads and writes so many numbers a cell, or says that there is no room for it.
fn timed<T>(
    context: &Context<'_>,
    sides: Sides,
    numbers: f64,
    made: Result<T>,
    run: fn(&mut T) -> Result<()>,
) -> Result<Timed> {
    let size = sides.map(|side| side.to_string()).join(" x ");
    let mut made = match made {
        Ok(made) => made,
        Err(error @ (Error::Limit { .. } | Error::OutOfMemory { .. })) => {
            return Ok(Timed::skipped(&size, &error));
        }
        Err(error) => return Err(error),
    };
    let samples = if context.quick { 3 } else { 7 };
    let seconds = clock::samples(context.engine, samples, || run(&mut made))?;
    let per_cell = numbers * context.engine.bytes_per_number() as f64;
    let bytes = per_cell * sides.iter().product::<usize>() as f64;
    let rate = 1e-9 * bytes / clock::median(&seconds);
    let size = format!("{size}, {per_cell} bytes a cell: {rate:.1} GB/s");
    let counts = Counts { exponentials: 0.0, bytes, flops: 0.0 };
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// To a residual of 1e-3, the result included.
fn example(context: &Context<'_>, sides: Sides) -> Result<Timed> {
    let [rows, cols, steps] = sides;
    let problem = Example::named("6.2b")?.problem([rows, cols], steps, Form::Monge, 1.0)?;
    let control = Control { tolerance: 1e-3, ..Control::default() };
    let mut seconds = Vec::new();
    let mut iterations = 0;
    for _ in 0..if context.quick { 1 } else { 3 } {
        let solution = problem.solve(&control, context.engine)?;
        iterations = solution.outcome.iterations;
        seconds.push(solution.outcome.seconds);
    }
    let size = format!("{rows} x {cols} x {steps}, {iterations} iterations to a residual of 1e-3");
    Ok(Timed { size, counts: None, seconds })
}
