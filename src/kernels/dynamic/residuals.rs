//! How far an iteration is from a solution.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::dual::{Centre, DualStep};
use super::lines::{Line, Slab, slabs};
use super::{Layout, Shape, variants};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::linear::segment_sum::compensated_sum;
use crate::kernels::{check_length, groups_of_256};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    tau: f32,
    sigma: f32,
    extrapolation: f32,
    reaction: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "dynamic/residuals",
    Params,
    [Read, Read, Read, Read, Read, Read, Read, Write],
    variants!([])
);

/// Numbers that a workgroup leaves, two of them unused.
const NUMBERS: usize = 8;

/// Sums over all cells, with ~U and ~y the projected points of an iteration and V the primal point
/// of its dual step (spec 4.5).
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
        let centre = Centre {
            layout,
            state: layout.split(state.host()?),
            next: layout.split(next.host()?),
            end: end.host()?,
            metric: metric.host()?.chunks(layout.grid.places()).collect(),
            extrapolation: 1.0 / step.relaxation,
        };
        let [dual, next_dual] = [dual.host()?, next_dual.host()?].map(|all| layout.split(all));
        let roots = roots.host()?;
        let twin = Twin { centre, dual, next_dual, roots, tau, step };
        // Only for the way that slabs cut lines.
        let mut nothing = vec![0.0; cells];
        return Ok(engine.run_twin(SHADER.name, || {
            let all: Vec<Sums> = slabs(layout, vec![&mut nothing])
                .into_par_iter()
                .map(|slab| twin.run(&slab))
                .collect();
            Sums::total(&all)
        }));
    };
    let groups = groups_of_256(cells) as usize;
    let sums = engine.zeros("residuals", NUMBERS * groups)?;
    engine.launch(
        gpu,
        &Launch {
            shader: &SHADER,
            constants: &layout.constants(),
            bindings: &[
                state.buffer()?.into(),
                next.buffer()?.into(),
                dual.buffer()?.into(),
                next_dual.buffer()?.into(),
                end.buffer()?.into(),
                metric.buffer()?.into(),
                roots.buffer()?.into(),
                sums.buffer()?.into(),
            ],
            immediates: bytemuck::bytes_of(&Params {
                shape: layout.shape()?,
                tau: tau as f32,
                sigma: step.sigma as f32,
                extrapolation: (1.0 / step.relaxation) as f32,
                reaction: step.reaction as f32,
            }),
            workgroups: groups as u64,
            work: 2.0 * cells as f64,
        },
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
        let total = |number: usize| {
            compensated_sum(&all.iter().map(|sums| sums.numbers()[number]).collect::<Vec<_>>())
        };
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

impl Twin<'_> {
    fn run(&self, slab: &Slab<'_>) -> Sums {
        let layout = self.centre.layout;
        let dimension = layout.dimension();
        let length = *layout.grid.space.last().expect("an axis");
        let zeros = |count: usize| vec![vec![0.0; length]; count];
        let mut planned = zeros(layout.components());
        let mut duals = zeros(layout.components());
        let mut primal = zeros(layout.components());
        let mut turned = zeros(dimension);
        let mut total = Sums::default();
        for (line, _) in slab.lines(layout) {
            let line = &line;
            for (component, axis) in layout.staggered() {
                let planned = &mut planned[component];
                self.centre.interpolate(line, component, axis, planned);
                total.unrest += self.unrest(line, component, axis);
            }
            if let Some(component) = layout.source_component() {
                self.centre.source(line, component, &mut planned[component]);
                total.unrest += self.unrest_of_source(line, component);
            }
            for (component, (dual, primal)) in duals.iter_mut().zip(&mut primal).enumerate() {
                for (lane, dual) in dual.iter_mut().enumerate() {
                    let cell = line.start + lane;
                    *dual = self.dual[component][cell] + self.dual_change(component, cell);
                }
                primal.copy_from_slice(dual);
            }
            let shares = &self.roots[line.cells()];
            for field in 0..layout.fields {
                let momenta = field * dimension..(field + 1) * dimension;
                let primal = &mut primal[momenta];
                self.centre.turn(line, field, false, primal, &mut turned);
                for (axis, primal) in primal.iter_mut().enumerate() {
                    let lambda = self.centre.eigenvalue(line, field, axis);
                    let all = primal.iter_mut().zip(lambda).zip(shares);
                    all.for_each(|((b, lambda), r)| *b *= 0.5 * r / (self.step.sigma * lambda));
                }
                self.centre.turn(line, field, true, primal, &mut turned);
            }
            let density = primal[layout.density()].iter_mut().zip(shares);
            density.for_each(|(density, r)| *density = r / self.step.sigma);
            if let Some(component) = layout.source_component() {
                let all = primal[component].iter_mut().zip(shares);
                let per_root = 0.5 / (self.step.sigma * self.step.reaction);
                all.for_each(|(source, r)| *source *= r * per_root);
            }
            for ((v, dual), planned) in primal.iter().zip(&duals).zip(&planned) {
                for ((v, y), u) in v.iter().zip(dual).zip(planned) {
                    total.gap += (v - u) * (v - u);
                    total.size += v * v;
                    total.dual_size += y * y;
                    total.energy += y * v;
                    total.paired += y * u;
                }
            }
        }
        total
    }

    /// ~y - y of an entry.
    fn dual_change(&self, component: usize, cell: usize) -> f64 {
        (self.next_dual[component][cell] - self.dual[component][cell]) / self.step.relaxation
    }

    /// (~U - U) / tau of an entry.
    fn pull(&self, component: usize, cell: usize) -> f64 {
        let (state, next) = (self.centre.state[component], self.centre.next[component]);
        (next[cell] - state[cell]) / (self.step.relaxation * self.tau)
    }

    fn unrest(&self, line: &Line, component: usize, axis: usize) -> f64 {
        let stride = self.centre.layout.stride(axis);
        let squares = line.with_lower(axis).map(|lane| {
            let cell = line.start + lane;
            let change = |cell| self.dual_change(component, cell);
            (0.5 * (change(cell - stride) + change(cell)) - self.pull(component, cell)).powi(2)
        });
        squares.sum()
    }

    fn unrest_of_source(&self, line: &Line, component: usize) -> f64 {
        let unrest = |cell| self.dual_change(component, cell) - self.pull(component, cell);
        line.cells().map(|cell| unrest(cell).powi(2)).sum()
    }
}
