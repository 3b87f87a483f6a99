//! Table 1: the relative error over the ratio of masses, a mean over radii.

use gaspard::Result;
use ndarray::Array1;

use crate::common::{Context, Sheet, head, mean};
use crate::data::{random, spheres};
use crate::methods::{self, Setup};
use crate::pair::Pair;

const RATIOS: [f64; 7] = [0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0];
/// The paper's, raw, by dimension.
const PAPER: [(usize, [f64; 7]); 5] = [
    (2, [0.073, 0.048, 0.0289, -0.061, 0.055, 0.086, 0.109]),
    (5, [0.054, 0.014, -0.021, -0.121, 0.037, 0.076, 0.103]),
    (10, [0.045, -0.005, -0.043, -0.145, 0.024, 0.067, 0.102]),
    (15, [0.040, -0.017, -0.065, -0.156, 0.018, 0.066, 0.083]),
    (20, [0.033, -0.025, -0.084, -0.166, 0.009, 0.065, 0.097]),
];
/// How far off the paper's an error may be: twice as much for equal masses.
const BAND: f64 = 0.03;

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let radii: Vec<f64> = match context.size.pick(true, false, false) {
        true => vec![0.31, 3.0],
        false => (0..10).map(|k| 0.01 + 0.3 * f64::from(k)).chain([3.0, 8.0, 13.0]).collect(),
    };
    let dimensions = context.size.pick(1, 2, 5);
    for (dimension, paper) in &PAPER[..dimensions] {
        let count = context.size.pick(8, 64, if *dimension == 2 { 128 } else { 512 });
        let mut pairs = Vec::new();
        for (k, ratio) in RATIOS.iter().enumerate() {
            let mut random = random(context.seed, (100 * dimension + k) as u64);
            for radius in &radii {
                let sphere = spheres::at_radii(&mut random, *dimension, &vec![*radius; count])?;
                let mass = count as f64 / ratio;
                pairs.push(Pair::dirac(mass, Array1::zeros(*dimension), sphere)?);
            }
        }
        let columns = methods::columns(&pairs, &Setup::new(context.size), context)?;

        let label = format!("table 1, d = {dimension}");
        let row = |name: &str, errors: &[f64]| {
            head(name, errors.iter().map(|error| format!("{error:+.4}")))
        };
        let mut rows = vec![row("the paper", paper)];
        for column in &columns {
            let errors = column.errors(&pairs);
            let by_ratio: Vec<f64> = errors.chunks(radii.len()).map(mean).collect();
            rows.push(row(column.name, &by_ratio));
        }
        sheet.table(&format!("{label}: relative errors"), &head("|nu| / |mu|", RATIOS), &rows);
        for column in &columns {
            let cells = column.values.chunks(radii.len()).zip(pairs.chunks(radii.len()));
            for (((values, pairs), paper), ratio) in cells.zip(paper).zip(RATIOS) {
                let what = format!("{label}, q = {ratio}: {}", column.name);
                let band = if ratio == 1.0 { 2.0 * BAND } else { BAND };
                match column.name {
                    methods::PAPER => {
                        let errors = methods::errors(values, pairs);
                        sheet.check(what, mean(&errors), paper - band..=paper + band);
                    }
                    methods::LEARNED => {
                        sheet.check(what, methods::mean_error(values, pairs), -0.01..=0.01);
                    }
                    _ => {}
                }
            }
        }
        methods::check(sheet, &label, &columns, &pairs);
    }
    Ok(())
}
