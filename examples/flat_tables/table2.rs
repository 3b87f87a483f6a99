//! Table 2: a mass at the origin against points of which a share is near enough to be moved.

use gaspard::Result;
use ndarray::Array1;

use crate::common::{Context, Sheet, deviation, head, mean};
use crate::data::{random, spheres};
use crate::methods::{self, Column, Setup};
use crate::pair::Pair;

const RATIOS: [f64; 6] = [0.5, 1.0, 2.0, 5.0, 10.0, 16.0];
const SHARES: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// The paper's errors in per cent after calibration, for d = 2, by share.
const PAPER: [[f64; 6]; 6] = [
    [1.3, -2.8, -6.7, -7.9, -6.4, -5.2],
    [14.4, 6.8, 1.0, 1.0, -0.9, -4.7],
    [-2.2, -6.3, -13.3, -15.0, -9.7, -3.0],
    [-0.8, -13.2, -7.6, -4.4, -2.7, -0.1],
    [-1.6, -4.0, -1.9, -1.3, -0.6, 0.1],
    [-2.7, -2.3, -1.9, -1.9, -1.4, -0.7],
];
/// The paper's mean absolute errors in per cent.
const MEANS: &str = "6.7 raw, 4.4 calibrated";

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let count = context.size.pick(10, 80, 80);
    let repeats = context.size.pick(1, 1, 50);
    for &dimension in context.size.pick(&[2][..], &[2], &[2, 5, 10]) {
        let mut pairs = Vec::new();
        for share in SHARES {
            for ratio in RATIOS {
                for _ in 0..repeats {
                    let purpose = 1000 * dimension + pairs.len();
                    let mut random = random(context.seed, purpose as u64);
                    let radii = spheres::near_and_far(&mut random, count, share);
                    let cloud = spheres::at_radii(&mut random, dimension, &radii)?;
                    let mass = count as f64 / ratio;
                    pairs.push(Pair::dirac(mass, Array1::zeros(dimension), cloud)?);
                }
            }
        }
        let mut setup = Setup::new(context.size);
        // Points as far as 200 take longer.
        setup.tight = setup.tight.epochs(context.size.pick(30, 1500, 1500));
        let columns = methods::columns(&pairs, &setup, context)?;
        let label = format!("table 2, d = {dimension}");
        if dimension == 2 {
            let errors: Vec<Vec<f64>> =
                PAPER.iter().map(|row| row.iter().map(|error| 0.01 * error).collect()).collect();
            print(sheet, &format!("{label}: the paper, calibrated"), &errors.concat(), 1);
        }
        for column in &columns {
            print(sheet, &format!("{label}: {}", column.name), &column.errors(&pairs), repeats);
        }
        println!("\n{label}: mean absolute errors in % (the paper: {MEANS})");
        for Column { name, .. } in &columns {
            println!("  {name:<18} {:.2}", 100.0 * mean_error(&columns, name, &pairs));
        }
        methods::check(sheet, &label, &columns, &pairs);
    }
    Ok(())
}

fn mean_error(columns: &[Column], name: &str, pairs: &[Pair]) -> f64 {
    let column = columns.iter().filter(|column| column.name == name);
    let errors: Vec<f64> = column.flat_map(|column| column.errors(pairs)).collect();
    mean(&errors.iter().map(|error| error.abs()).collect::<Vec<_>>())
}

/// Errors in per cent, with their deviations where there are several for each cell.
fn print(sheet: &mut Sheet, title: &str, errors: &[f64], repeats: usize) {
    let cells: Vec<String> = errors
        .chunks(repeats)
        .map(|errors| match errors {
            [error] => format!("{:+.1}", 100.0 * error),
            _ => format!("{:+.1} ±{:.1}", 100.0 * mean(errors), 100.0 * deviation(errors)),
        })
        .collect();
    let rows = cells.chunks(RATIOS.len()).zip(SHARES);
    let rows: Vec<_> = rows.map(|(cells, share)| head(&share.to_string(), cells)).collect();
    sheet.table(&format!("{title}, in %"), &head("share \\ q", RATIOS), &rows);
}
