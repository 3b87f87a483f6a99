//! The problem of the paper as a linear program over all tuples of frames, by a solver that knows
//! nothing of transport.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, SolveOutcome};

/// min sum_k <c_k, P_k> over tensors P_k >= 0 whose sum has the columns as marginals, with the cost
/// sum_l ((t_l - t_1) - delay_kl)². Where there is an outlier source, it is one more tensor, with the
/// same cost everywhere.
pub fn least_cost(columns: &[Vec<f64>], delays: &[Vec<f64>], outlier: Option<f64>) -> f64 {
    let (microphones, frames) = (columns.len(), columns[0].len());
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let mut sums = vec![vec![LinearExpr::empty(); frames]; microphones];
    for code in 0..frames.pow(microphones as u32) {
        let tuple: Vec<usize> =
            (0..microphones as u32).map(|l| code / frames.pow(l) % frames).collect();
        let moved = |delays: &Vec<f64>| -> f64 {
            let terms =
                (1..microphones).map(|l| (tuple[l] as f64 - tuple[0] as f64 - delays[l]).powi(2));
            terms.sum()
        };
        for cost in delays.iter().map(moved).chain(outlier) {
            let entry = problem.add_var(cost, (0.0, f64::INFINITY));
            for (l, frame) in tuple.iter().enumerate() {
                sums[l][*frame].add(entry, 1.0);
            }
        }
    }
    for (sums, column) in sums.into_iter().zip(columns) {
        for (sum, mass) in sums.into_iter().zip(column) {
            problem.add_constraint(sum, ComparisonOp::Eq, *mass);
        }
    }
    match problem.solve().expect("columns of the same mass") {
        SolveOutcome::Solution(solution) => solution.objective(),
        SolveOutcome::Interrupted(_) => unreachable!("there is no limit"),
    }
}
