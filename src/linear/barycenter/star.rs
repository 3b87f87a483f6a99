//! The star of a barycenter on an engine: its inputs in groups of equal supports, and the support
//! where their messages meet.

use super::Barycenter;
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry, Operator, Side, Support};
use crate::kernels::NOTHING;
use crate::kernels::linear::consensus::{Step, consensus};
use crate::kernels::linear::debias::debias;
use crate::kernels::linear::node_residual::NodeResidual;
use crate::kernels::linear::node_update::{NodeArrays, node_update};
use crate::kernels::tiles::{all_running, problem_of_points};
use crate::linear::Law;
use crate::linear::iterate::rescaled;

/// Inputs with the same support: one batched softmin for all of them.
pub(super) struct Group {
    pub operator: Operator,
    /// The inputs' places in the problem.
    pub members: Vec<usize>,
    pub weights: Array,
    /// log mu_k, and the scaling f_k as potential.
    pub inputs: NodeArrays,
    /// B_k: what reaches the inputs from the support.
    pub belief: Array,
    /// A_k: what reaches the support from the inputs.
    pub messages: Array,
    /// h_k: the bias of the messages back.
    pub bias: Array,
    residual: NodeResidual,
    residuals: Array,
    spare: Array,
}

/// What takes the blur out: log c, and the softmin of the support with itself.
struct Correction {
    operator: Operator,
    log_c: Array,
    blurred: Array,
}

pub(super) struct Star {
    pub engine: Engine,
    pub groups: Vec<Group>,
    /// log nu, up to its mass.
    pub mean: Array,
    correction: Option<Correction>,
    running: Array,
}

impl Star {
    pub(super) fn new(
        engine: &Engine,
        problem: &Barycenter<'_>,
        support: &Support,
    ) -> Result<Self> {
        let counting: Vec<usize> =
            (0..problem.measures.len()).filter(|&k| problem.weights[k] > 0.0).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for k in counting {
            let support = problem.measures[k].support();
            let alike = |group: &&mut Vec<usize>| problem.measures[group[0]].support() == support;
            match groups.iter_mut().find(alike) {
                Some(group) => group.push(k),
                None => groups.push(vec![k]),
            }
        }
        let groups = groups
            .into_iter()
            .map(|members| Group::new(engine, problem, support, members))
            .collect::<Result<Vec<_>>>()?;
        if problem.debiased && problem.geometry.is_some() {
            return Err(Error::data(
                "the debiased barycenter",
                "it needs the costs within the support, and only those from the inputs are given",
                "leave the costs to the supports and a cost function, or do without debiasing",
            ));
        }
        let correction =
            problem.debiased.then(|| Correction::new(engine, support, problem.cost)).transpose()?;
        let largest = groups.iter().map(|group| group.members.len()).max().unwrap_or(1);
        Ok(Self {
            engine: engine.clone(),
            groups,
            mean: engine.zeros("log barycenter", support.len())?,
            correction,
            running: all_running(engine, largest)?,
        })
    }

    /// Exponentials of one iteration.
    pub(super) fn work(&self) -> f64 {
        let inputs: f64 = self.groups.iter().map(|group| 2.0 * group.operator.work()).sum();
        inputs + self.correction.as_ref().map_or(0.0, |correction| correction.operator.work())
    }

    /// What reaches the inputs.
    pub(super) fn hear(&mut self, epsilon: f64) -> Result<()> {
        for group in &mut self.groups {
            let Group { operator, bias, belief, .. } = group;
            operator.softmin(&self.engine, Side::Rows, epsilon, bias, belief)?;
        }
        Ok(())
    }

    /// total = sum_k weight_k of the L1 errors of the inputs' marginals.
    pub(super) fn residual(&mut self, epsilon: f64, total: &mut Array) -> Result<()> {
        let law = Law::Fixed.scaled(epsilon);
        for (index, group) in self.groups.iter_mut().enumerate() {
            let Group { inputs, belief, weights, residual, residuals, spare, .. } = group;
            self.engine.write(residuals, &vec![0.0; weights.len()])?;
            residual.launch(&self.engine, inputs, belief, law, residuals)?;
            // The same weighted sum as that of messages, over a support of one point.
            let step = Step { add: true, fresh: index == 0, spread: false, relaxation: 1.0 };
            consensus(&self.engine, step, weights, residuals, total, spare)?;
        }
        Ok(())
    }

    /// One iteration: scalings of the inputs from what reached them, their messages, the meeting,
    /// and what it sends back.
    pub(super) fn project(&mut self, epsilon: f64, relaxation: f64) -> Result<()> {
        let engine = &self.engine;
        if let Some(correction) = &self.correction {
            engine.copy(&correction.log_c, &mut self.mean)?;
        }
        let law = Law::Fixed.scaled(epsilon);
        let mut fresh = self.correction.is_none();
        for group in &mut self.groups {
            let Group { operator, weights, inputs, belief, messages, bias, .. } = group;
            node_update(engine, inputs, belief, law, relaxation, &self.running)?;
            operator.softmin(engine, Side::Cols, epsilon, &inputs.bias, messages)?;
            let step = Step { add: true, fresh, spread: false, relaxation };
            consensus(engine, step, weights, messages, &mut self.mean, bias)?;
            fresh = false;
        }
        for group in &mut self.groups {
            let Group { weights, messages, bias, .. } = group;
            let step = Step { add: false, fresh: false, spread: true, relaxation };
            consensus(engine, step, weights, messages, &mut self.mean, bias)?;
        }
        if let Some(Correction { operator, log_c, blurred }) = &mut self.correction {
            operator.softmin(engine, Side::Cols, epsilon, log_c, blurred)?;
            debias(engine, &self.mean, blurred, log_c)?;
        }
        self.hear(epsilon)
    }

    /// Changes the unit of all scalings from one epsilon to another.
    pub(super) fn change_unit(&mut self, from: f64, to: f64) -> Result<()> {
        let engine = &self.engine;
        let rescale = |array: &mut Array| {
            let values = rescaled(engine, array, from, to)?;
            engine.write(array, &values)
        };
        for group in &mut self.groups {
            rescale(&mut group.bias)?;
            rescale(&mut group.inputs.potential)?;
            rescale(&mut group.inputs.bias)?;
        }
        if let Some(correction) = &mut self.correction {
            rescale(&mut correction.log_c)?;
        }
        Ok(())
    }
}

impl Group {
    fn new(
        engine: &Engine,
        problem: &Barycenter<'_>,
        support: &Support,
        members: Vec<usize>,
    ) -> Result<Self> {
        let first = problem.measures[members[0]];
        let geometry = match &problem.geometry {
            Some(geometry) => geometry.clone(),
            None => Geometry::between(first.support(), support, problem.cost)?,
        };
        let sizes = (first.support().len(), support.len());
        if geometry.shape() != sizes {
            return Err(Error::shape(
                "the costs",
                format!("{} x {}, inputs by support", sizes.0, sizes.1),
                format!("{} x {}", geometry.shape().0, geometry.shape().1),
            ));
        }
        let count = members.len();
        let (inputs, outputs) = (sizes.0 * count, sizes.1 * count);
        let bytes = geometry.bytes(engine) * count as u64
            + (6 * inputs + 2 * outputs) as u64 * engine.bytes_per_number();
        let remedy = "use smaller images, a smaller support, or another device";
        engine.require("the barycenter", bytes, remedy)?;
        let mut log_weight = Vec::with_capacity(inputs);
        for &member in &members {
            let measure = problem.measures[member];
            let log_mass = measure.mass().ln();
            let log = |&weight: &f64| if weight > 0.0 { weight.ln() - log_mass } else { NOTHING };
            log_weight.extend(measure.weights().iter().map(log));
        }
        let offsets: Vec<usize> = (0..=count).map(|member| member * sizes.0).collect();
        let weights: Vec<f64> = members.iter().map(|&member| problem.weights[member]).collect();
        let inputs = NodeArrays {
            log_weight: engine.upload("log weights", &log_weight)?,
            log_reference: engine.zeros("log reference", inputs)?,
            potential: engine.zeros("scaling of the input", inputs)?,
            bias: engine.zeros("scaling of the input", inputs)?,
            problem: problem_of_points(engine, &offsets)?,
        };
        Ok(Self {
            operator: Operator::new(engine, &vec![&geometry; count])?,
            belief: engine.zeros("belief", sizes.0 * count)?,
            messages: engine.zeros("messages to the support", outputs)?,
            bias: engine.zeros("bias of the support", outputs)?,
            weights: engine.upload("weights of the inputs", &weights)?,
            residual: NodeResidual::new(engine, &offsets)?,
            residuals: engine.zeros("residuals", count)?,
            spare: engine.zeros("residuals", count)?,
            inputs,
            members,
        })
    }
}

impl Correction {
    fn new(engine: &Engine, support: &Support, cost: Cost) -> Result<Self> {
        if matches!(support, Support::Abstract(_)) {
            return Err(Error::data(
                "the debiased barycenter",
                "it needs the costs within the support, and only those from the inputs are given",
                "give images, densities or points",
            ));
        }
        Ok(Self {
            operator: Geometry::between(support, support, cost)?.operator(engine)?,
            log_c: engine.zeros("log correction", support.len())?,
            blurred: engine.zeros("blurred correction", support.len())?,
        })
    }
}
