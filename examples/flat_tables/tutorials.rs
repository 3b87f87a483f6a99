//! The two examples that the paper's code comes with.

use gaspard::Result;

use crate::common::{Context, Sheet, head, mean};
use crate::data::{gaussians, random};
use crate::methods::{self, Setup};
use crate::pair::Pair;

/// Draws of the first example.
const DRAWS: usize = 20;
/// The distance of its laws, by their quantiles.
const ON_A_LINE: f64 = 2.985;

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let fraction = context.size.pick(10, 1, 1);
    let mut random = random(context.seed, 0);
    // A normal distribution and a uniform one.
    let mut line = Vec::new();
    for _ in 0..DRAWS {
        let normal = gaussians::line(&mut random, 200 / fraction)?;
        let uniform = gaussians::cube(&mut random, 1, 100 / fraction, [4.0, 6.0])?;
        line.push(Pair::clouds(normal, uniform)?);
    }
    let truth: Vec<f64> = line.iter().map(|pair| pair.truth).collect();
    sheet.check("on a line: mean of draws", mean(&truth), ON_A_LINE - 0.01..=ON_A_LINE + 0.01);
    // Two cubes that are too far apart for anything to move.
    let near = gaussians::cube(&mut random, 5, 300 / fraction, [-3.5, -2.5])?;
    let far = gaussians::cube(&mut random, 5, 120 / fraction, [2.5, 3.5])?;
    let cubes = Pair::clouds(near, far)?;
    sheet.check("cubes: simplex", cubes.truth, 3.5 - 1e-9..=3.5 + 1e-9);
    line.truncate(1);
    let mut rows = Vec::new();
    let mut names = vec!["exact"];
    for (name, pairs) in [("on a line", line), ("cubes", vec![cubes])] {
        let columns = methods::columns(&pairs, &Setup::new(context.size), context)?;
        names.truncate(1);
        names.extend(columns.iter().map(|column| column.name));
        let values = std::iter::once(pairs[0].truth).chain(columns.iter().map(|c| c.values[0]));
        rows.push(head(name, values.map(|value| format!("{value:.3}"))));
    }
    sheet.table("tutorials", &head("", names), &rows);
    Ok(())
}
