//! What happens point by point at the nodes of a tree, and sums over points.

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::NOTHING;
use crate::kernels::linear::consensus::{Step, consensus};
use crate::kernels::linear::debias::debias;
use crate::kernels::linear::node_residual::NodeResidual;
use crate::kernels::linear::node_update::{NodeArrays, ScaledLaw, node_update};
use crate::kernels::linear::segment_sum::segment_sum;
use crate::kernels::linear::sum_messages::sum_messages;
use crate::kernels::tiles::problem_of_points;
use crate::linear::Law;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    updates(&mut cases, random);
    residuals(&mut cases, random);
    segments(&mut cases, random);
    messages(&mut cases, random);
    meetings(&mut cases, random);
    Ok(cases)
}

const LAWS: [Law; 7] = [
    Law::Fixed,
    Law::Kl { rho: 0.5 },
    Law::Tv { rho: 0.25 },
    Law::Range { low: 0.5, high: 1.5 },
    Law::Range { low: 0.0, high: 1.0 },
    Law::Range { low: 0.0, high: 0.0 },
    Law::Free,
];

/// A node of a batch, on the host.
#[derive(Clone)]
struct Node {
    offsets: Vec<usize>,
    log_weight: Vec<f64>,
    log_reference: Vec<f64>,
    potential: Vec<f64>,
    belief: Vec<f64>,
    law: ScaledLaw,
}

impl Node {
    /// Weights, references and beliefs have holes in different places, so that every pair of them
    /// occurs.
    fn new(random: &mut Random, sizes: &[usize], law: Law, scale: f64) -> Self {
        let mut offsets = vec![0];
        for size in sizes {
            offsets.push(offsets[offsets.len() - 1] + size);
        }
        let count = offsets[sizes.len()];
        let mut holes = |every: usize, scale| {
            let mut logs = random.logs(count, scale, false);
            logs.iter_mut().skip(every - 1).step_by(every).for_each(|log| *log = NOTHING);
            logs
        };
        let law = match law.scaled(0.125) {
            ScaledLaw::Share(share) => ScaledLaw::Share(single(share)),
            ScaledLaw::Bounded(bound) => ScaledLaw::Bounded(single(bound)),
            ScaledLaw::Between(low, high) => ScaledLaw::Between(single(low), single(high)),
            exact @ (ScaledLaw::Fixed | ScaledLaw::Free) => exact,
        };
        Self {
            log_weight: holes(3, 5.0),
            log_reference: holes(5, 5.0),
            potential: holes(7, scale),
            belief: holes(11, scale),
            offsets,
            law,
        }
    }

    fn bias(&self) -> Vec<f64> {
        let pairs = self.potential.iter().zip(&self.log_reference);
        pairs.map(|(potential, reference)| single((potential + reference).max(NOTHING))).collect()
    }

    fn arrays(&self, engine: &Engine) -> Result<(NodeArrays, Array)> {
        let arrays = NodeArrays {
            log_weight: engine.upload("log weights", &self.log_weight)?,
            log_reference: engine.upload("log reference", &self.log_reference)?,
            potential: engine.upload("potential", &self.potential)?,
            bias: engine.upload("bias", &self.bias())?,
            problem: problem_of_points(engine, &self.offsets)?,
        };
        Ok((arrays, engine.upload("belief", &self.belief)?))
    }
}

fn updates(cases: &mut Vec<Case>, random: &mut Random) {
    for law in LAWS {
        for (relaxation, sizes, scale) in [
            (1.0, vec![1], 5.0),
            (0.5, vec![255], 5.0),
            (1.5, vec![256], 5.0),
            (1.0, vec![257, 1, 300], 5.0),
            (1.5, vec![257], 1e4),
            (1.0, vec![257], 1e6),
        ] {
            let node = Node::new(random, &sizes, law, scale);
            let running: Vec<f64> =
                (0..sizes.len()).map(|problem| f64::from(u8::from(problem != 1))).collect();
            cases.push(Case {
                kernel: "linear/node_update",
                name: format!("{law}, {sizes:?} points up to {scale:e}, relaxation {relaxation}"),
                unit: Unit::Absolute,
                // A handful of sums, each rounded once by a roundoff of its terms; a long step is
                // of terms that much larger.
                allowed: 4.0 * ROUNDOFF * (2.0 * scale * f64::max(1.0, relaxation) + 10.0),
                work: Box::new(move |engine| {
                    let (mut arrays, belief) = node.arrays(engine)?;
                    let running = engine.upload("running", &running)?;
                    node_update(engine, &mut arrays, &belief, node.law, relaxation, &running)?;
                    let mut both = engine.download(&arrays.potential)?;
                    both.extend(engine.download(&arrays.bias)?);
                    Ok(both)
                }),
            });
        }
    }
}

fn residuals(cases: &mut Vec<Case>, random: &mut Random) {
    for law in &LAWS[..6] {
        for sizes in [vec![1], vec![255, 257], vec![2047, 2048, 2049], vec![5000]] {
            let node = Node::new(random, &sizes, *law, 5.0);
            let bias = node.bias();
            let masses = |i: usize| {
                let goal =
                    node.law.potential(node.log_weight[i], node.log_reference[i], node.belief[i]);
                let wanted = (goal + node.log_reference[i] + node.belief[i]).max(NOTHING).exp();
                (bias[i] + node.belief[i]).max(NOTHING).exp() + wanted
            };
            let terms = node
                .offsets
                .windows(2)
                .map(|bounds| 0.5 + (bounds[0]..bounds[1]).map(masses).sum::<f64>());
            let problems = sizes.len();
            cases.push(Case {
                kernel: "linear/node_residual",
                name: format!("{law}, {sizes:?} points"),
                unit: Unit::Terms(terms.collect()),
                // Scores of up to 25 are rounded a few times, and exponentials make that relative.
                allowed: 2.0 * ROUNDOFF * 25.0,
                work: Box::new(move |engine| {
                    let (arrays, belief) = node.arrays(engine)?;
                    let mut out = engine.filled("residual", problems, 0.5)?;
                    NodeResidual::new(engine, &node.offsets)?
                        .launch(engine, &arrays, &belief, node.law, &mut out)?;
                    engine.download(&out)
                }),
            });
        }
    }
}

fn segments(cases: &mut Vec<Case>, random: &mut Random) {
    for sizes in [vec![1], vec![0, 255, 256, 257, 0, 3], vec![100_000]] {
        let mut offsets = vec![0_u32];
        for size in &sizes {
            offsets.push(offsets[offsets.len() - 1] + size);
        }
        // Large terms among small ones, which a plain sum would lose.
        let values: Vec<f64> = (0..offsets[sizes.len()])
            .map(|i| {
                random.number(-0.5, 1.0) * if (i / 256).is_multiple_of(2) { 1.0 } else { 1e-5 }
            })
            .map(single)
            .collect();
        for accumulate in [false, true] {
            let terms = offsets.windows(2).map(|bounds| {
                let segment = &values[bounds[0] as usize..bounds[1] as usize];
                1.0 + segment.iter().map(|value| value.abs()).sum::<f64>()
            });
            let (offsets, values) = (offsets.clone(), values.clone());
            cases.push(Case {
                kernel: "linear/segment_sum",
                name: format!("segments of {sizes:?}, accumulate {accumulate}"),
                unit: Unit::Terms(terms.collect()),
                // Compensated in each thread, whatever the length; then eight levels of a tree, of
                // which few round the same way.
                allowed: 4.0 * ROUNDOFF,
                work: Box::new(move |engine| {
                    let values = engine.upload("values", &values)?;
                    let mut out = engine.filled("sums", offsets.len() - 1, 1.0)?;
                    let offsets = engine.table("offsets", &offsets)?;
                    segment_sum(engine, &offsets, &values, accumulate, &mut out)?;
                    engine.download(&out)
                }),
            });
        }
    }
}

fn messages(cases: &mut Vec<Case>, random: &mut Random) {
    for (count, length, scale) in [
        (0, 3, 5.0),
        (1, 255, 5.0),
        (2, 256, 1e4),
        (6, 257, 5.0),
        (7, 1, 5.0),
        (11, 300, 1e6),
        (14, 300, 5.0),
    ] {
        let messages: Vec<_> = (0..count)
            .map(|message| {
                let mut logs = random.logs(length, scale, false);
                logs.iter_mut().skip(message).step_by(count + 7).for_each(|log| *log = NOTHING);
                logs
            })
            .collect();
        cases.push(Case {
            kernel: "linear/sum_messages",
            name: format!("{count} messages of {length} up to {scale:e}"),
            unit: Unit::Absolute,
            // Each addition rounds a partial sum, which grows like the root of the count.
            allowed: ROUNDOFF * scale * (count as f64).powf(1.5),
            work: Box::new(move |engine| {
                let messages = messages
                    .iter()
                    .map(|message| engine.upload("message", message))
                    .collect::<Result<Vec<_>>>()?;
                let mut out = engine.filled("sum", length, 7.0)?;
                let mut scratch = engine.zeros("scratch", length)?;
                let messages: Vec<_> = messages.iter().collect();
                sum_messages(engine, &messages, &mut out, &mut scratch)?;
                engine.download(&out)
            }),
        });
    }
}

fn meetings(cases: &mut Vec<Case>, random: &mut Random) {
    for (members, length) in [(1, 1), (3, 257), (5, 64)] {
        let weights: Vec<f64> =
            random.vector(members, 0.5, 1.0).iter().map(|w| single(w / members as f64)).collect();
        let messages = random.logs(members * length, 5.0, true);
        let mean = random.logs(length, 5.0, true);
        let bias = random.logs(members * length, 5.0, true);
        for (add, fresh, spread, relaxation) in [
            (true, true, false, 1.0),
            (true, false, false, 1.0),
            (false, false, true, 1.0),
            (true, true, true, 1.0),
            (true, true, true, 0.5),
            (true, true, true, 1.5),
        ] {
            let step = Step { add, fresh, spread, relaxation };
            let (weights, messages) = (weights.clone(), messages.clone());
            let (mean, bias) = (mean.clone(), bias.clone());
            cases.push(Case {
                kernel: "linear/consensus",
                name: format!("{members} messages of {length}, {step:?}"),
                unit: Unit::Absolute,
                // A product and a sum for each member, of numbers up to 5; a step from one to
                // another is of numbers up to 15.
                allowed: ROUNDOFF * (15.0 * relaxation + 5.0 * members as f64),
                work: Box::new(move |engine| {
                    let weights = engine.upload("weights", &weights)?;
                    let mut mean = engine.upload("mean", &mean)?;
                    let mut bias = engine.upload("bias", &bias)?;
                    let messages = engine.upload("messages", &messages)?;
                    consensus(engine, step, &weights, &messages, &mut mean, &mut bias)?;
                    let mut both = engine.download(&mean)?;
                    both.extend(engine.download(&bias)?);
                    Ok(both)
                }),
            });
        }
    }
    for (length, scale) in [(1, 5.0), (255, 5.0), (257, 1e4)] {
        let mean = random.logs(length, scale, true);
        let mut blurred = random.logs(length, scale, false);
        let mut correction = random.logs(length, scale, false);
        blurred.iter_mut().skip(5).step_by(7).for_each(|log| *log = NOTHING);
        correction.iter_mut().skip(3).step_by(5).for_each(|log| *log = NOTHING);
        cases.push(Case {
            kernel: "linear/debias",
            name: format!("{length} points up to {scale:e}"),
            unit: Unit::Absolute,
            // Half of what two sums lose, of twice and three times the scale.
            allowed: 2.5 * ROUNDOFF * scale,
            work: Box::new(move |engine| {
                let mean = engine.upload("mean", &mean)?;
                let blurred = engine.upload("blurred", &blurred)?;
                let mut correction = engine.upload("correction", &correction)?;
                debias(engine, &mean, &blurred, &mut correction)?;
                engine.download(&correction)
            }),
        });
    }
}
