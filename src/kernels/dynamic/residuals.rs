//! How far an iteration is from a solution.

use multiversion::multiversion;
use rayon::prelude::*;

use super::dual::{Centre, DualStep};
use super::lines::{Line, Slab, slabs};
use super::{Layout, Params, variants};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::launch::{groups_of_256, launch_each};
use crate::numeric::compensated_sum;

pub(crate) static SHADER: Shader = shader!(
    "dynamic/residuals",
    Params,
    [Read, Read, Read, Read, Read, Read, Read, Write],
    variants!([])
);

/// Numbers that a workgroup leaves, two of them unused.
const NUMBERS: usize = 8;

/// Sums over all cells, with ~U and ~y the projected points of an iteration and V the primal point
/// of its dual step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// |V - I ~U|².
    pub gap: f64,
    /// |V|².
    pub size: f64,
    /// |(U - ~U)/tau - I^T (y - ~y)|² over the faces inside the box.
    pub unrest: f64,
    /// |~y|².
    pub dual_size: f64,
    /// <~y, V>: the kinetic energy of V.
    pub energy: f64,
    /// <~y, I ~U>.
    pub paired: f64,
}

/// The sums of an iteration from (U, y) to (U', y') = (U, y) + relaxation ((~U, ~y) - (U, y)), after
/// a dual step with these parameters that left these roots.
#[expect(clippy::too_many_arguments, reason = "the operands of the formulas")]
pub(crate) fn residuals(
    engine: &Engine,
    layout: &Layout,
    (state, next): (&Array, &Array),
    (dual, next_dual): (&Array, &Array),
    end: &Array,
    metric: &Array,
    roots: &Array,
    tau: f64,
    step: DualStep,
) -> Result<Sums> {
    let cells = layout.grid.cells();
    for (what, array) in
        [("state", state), ("next state", next), ("dual", dual), ("next dual", next_dual)]
    {
        check_length(what, array.len(), layout.numbers())?;
    }
    check_length("the roots", roots.len(), cells)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let states = [state.host()?, next.host()?];
        let (end, metric) = (end.host()?, metric.host()?);
        let centre = Centre::new(layout, states, end, metric, 1.0 / step.relaxation);
        let [dual, next_dual] = [dual.host()?, next_dual.host()?].map(|all| layout.split(all));
        let roots = roots.host()?;
        let twin = Twin { centre, dual, next_dual, roots, tau, step };
        // Only for the way that slabs cut lines.
        let mut nothing = vec![0.0; cells];
        return Ok(engine.run_twin(SHADER.name, || {
            let all: Vec<Sums> = slabs(layout, vec![&mut nothing])
                .into_par_iter()
                .map(|slab| run(&twin, &slab))
                .collect();
            Sums::total(&all)
        }));
    };
    let groups = groups_of_256(cells) as usize;
    let sums = engine.zeros("residuals", NUMBERS * groups)?;
    let extrapolation = (1.0 / step.relaxation) as f32;
    launch_each(
        engine,
        gpu,
        &SHADER,
        &layout.constants(),
        &[state, next, dual, next_dual, end, metric, roots, &sums],
        &Params { tau: tau as f32, extrapolation, ..step.params(layout)? },
        (cells, 2.0 * cells as f64),
    )?;
    let sums = engine.download(&sums)?;
    let all: Vec<Sums> = sums.chunks(NUMBERS).map(Sums::of).collect();
    Ok(Sums::total(&all))
}

impl Sums {
    fn of(numbers: &[f64]) -> Self {
        let [gap, size, unrest, dual_size, energy, paired] = [0, 1, 2, 3, 4, 5].map(|i| numbers[i]);
        Self { gap, size, unrest, dual_size, energy, paired }
    }

    fn numbers(&self) -> [f64; 6] {
        [self.gap, self.size, self.unrest, self.dual_size, self.energy, self.paired]
    }

    fn total(all: &[Self]) -> Self {
        let total = |number: usize| compensated_sum(all.iter().map(|sums| sums.numbers()[number]));
        Self::of(&[0, 1, 2, 3, 4, 5].map(total))
    }
}

struct Twin<'a> {
    centre: Centre<'a>,
    dual: Vec<&'a [f64]>,
    next_dual: Vec<&'a [f64]>,
    roots: &'a [f64],
    tau: f64,
    step: DualStep,
}

/// The sums over the lines of a slab.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn run(twin: &Twin<'_>, slab: &Slab<'_>) -> Sums {
    twin.run(slab)
}

impl Twin<'_> {
    #[inline(always)]
    fn run(&self, slab: &Slab<'_>) -> Sums {
        let Self { centre, step, .. } = self;
        let layout = centre.layout;
        let dimension = layout.dimension();
        let length = *layout.grid.space.last().expect("an axis");
        let zeros = |count: usize| vec![vec![0.0; length]; count];
        let mut planned = vec![0.0; length];
        let mut duals = zeros(layout.components());
        let mut primal = zeros(layout.components());
        let mut turned = zeros(dimension);
        // For each place in a line its own: additions do not wait for one another.
        let mut sums = std::array::from_fn(|_| vec![0.0; length]);
        for (line, _) in slab.lines(layout) {
            for (component, (dual, primal)) in duals.iter_mut().zip(&mut primal).enumerate() {
                let before = line.of(self.dual[component]);
                project(before, line.of(self.next_dual[component]), step.relaxation, dual);
                primal.copy_from_slice(dual);
            }
            let shares = line.of(self.roots);
            for field in 0..layout.fields {
                let momenta = field * dimension..(field + 1) * dimension;
                let primal = &mut primal[momenta];
                centre.turn(&line, field, false, primal, &mut turned);
                for (axis, primal) in primal.iter_mut().enumerate() {
                    let lambda = centre.eigenvalue(&line, field, axis);
                    let all = primal.iter_mut().zip(lambda).zip(shares);
                    all.for_each(|((b, lambda), r)| *b *= 0.5 * r / (step.sigma * lambda));
                }
                centre.turn(&line, field, true, primal, &mut turned);
            }
            let density = primal[layout.density()].iter_mut().zip(shares);
            density.for_each(|(density, r)| *density = r / step.sigma);
            if let Some(component) = layout.source_component() {
                let all = primal[component].iter_mut().zip(shares);
                let per_root = 0.5 / (step.sigma * step.reaction);
                all.for_each(|(source, r)| *source *= r * per_root);
                centre.source(&line, component, &mut planned);
                add_terms(&primal[component], &planned, &duals[component], &mut sums);
                self.add_unrest_of_source(&line, component, &mut sums[2]);
            }
            for (component, axis) in layout.staggered() {
                centre.interpolate(&line, component, axis, &mut planned);
                add_terms(&primal[component], &planned, &duals[component], &mut sums);
                self.add_unrest(&line, component, axis, &mut sums[2]);
            }
        }
        Sums::of(&sums.map(|sums| sums.iter().sum()))
    }

    /// Adds |(U - ~U)/tau - I^T (y - ~y)|² at the faces of a component below the cells of a line.
    #[inline(always)]
    fn add_unrest(&self, line: &Line, component: usize, axis: usize, sums: &mut [f64]) {
        let [before, after] = [self.dual[component], self.next_dual[component]];
        let below = line.below(axis, before).iter().zip(line.below(axis, after));
        let first = line.length - below.len();
        let inner = |all| line.of(all)[first..].iter();
        let own = inner(before).zip(inner(after));
        let states = inner(self.centre.state[component]).zip(inner(self.centre.next[component]));
        let (half, pull) = (0.5 / self.step.relaxation, 1.0 / (self.step.relaxation * self.tau));
        let faces = below.zip(own).zip(states);
        for (sum, ((below, own), state)) in sums[first..].iter_mut().zip(faces) {
            let unrest =
                half * ((below.1 - below.0) + (own.1 - own.0)) - pull * (state.1 - state.0);
            *sum += unrest * unrest;
        }
    }

    fn add_unrest_of_source(&self, line: &Line, component: usize, sums: &mut [f64]) {
        let own = line.of(self.dual[component]).iter().zip(line.of(self.next_dual[component]));
        let (state, next) = (self.centre.state[component], self.centre.next[component]);
        let states = line.of(state).iter().zip(line.of(next));
        for (sum, (own, state)) in sums.iter_mut().zip(own.zip(states)) {
            let unrest = (own.1 - own.0) - (state.1 - state.0) / self.tau;
            *sum += (unrest / self.step.relaxation).powi(2);
        }
    }
}

/// ~y from y and y'.
#[inline(always)]
fn project(before: &[f64], after: &[f64], relaxation: f64, out: &mut [f64]) {
    for (out, (before, after)) in out.iter_mut().zip(before.iter().zip(after)) {
        *out = before + (after - before) / relaxation;
    }
}

/// Adds what a component of V, I ~U and ~y has in all sums but that of unrest.
#[inline(always)]
fn add_terms(v: &[f64], u: &[f64], y: &[f64], sums: &mut [Vec<f64>; 6]) {
    let [gap, size, _, dual_size, energy, paired] = sums;
    let (first, second) = (gap.iter_mut().zip(size), dual_size.iter_mut().zip(energy).zip(paired));
    for (((v, u), y), (first, second)) in v.iter().zip(u).zip(y).zip(first.zip(second)) {
        *first.0 += (v - u) * (v - u);
        *first.1 += v * v;
        let ((dual_size, energy), paired) = second;
        *dual_size += y * y;
        *energy += y * v;
        *paired += y * u;
    }
}
