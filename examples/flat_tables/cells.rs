//! Tables 3 and 6: groups of cells of different sizes.

use gaspard::Result;
use ndarray::Array2;

use crate::common::{Context, Sheet, Size, head};
use crate::data::{cells, random};
use crate::methods::{self, Setup};
use crate::pair::Pair;

/// The paper's flat metric and W1 of G1 with G2 to G5, of G2 with G3 to G5, and so on, each a mean of
/// both runs.
const TABLE_3: [(f64, f64); 10] = [
    (4.415, 0.245),
    (3.015, 7.20),
    (4.93, 7.195),
    (3.025, 9.94),
    (5.22, 7.23),
    (2.89, 7.235),
    (5.26, 9.94),
    (5.235, 10.255),
    (2.905, 12.16),
    (5.27, 12.025),
];
const TABLE_6: [(f64, f64); 10] = [
    (3.265, 0.35),
    (2.885, 6.77),
    (5.32, 6.85),
    (2.985, 9.75),
    (5.325, 6.76),
    (2.875, 6.765),
    (5.0, 9.76),
    (5.375, 9.51),
    (3.005, 11.86),
    (5.04, 12.05),
];

/// What a run is made of.
struct Run {
    name: &'static str,
    cells: usize,
    genes: usize,
    components: usize,
    paper: &'static [(f64, f64); 10],
}

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let (few, many, genes) =
        context.size.pick((60, 80, 200), (1000, 1000, 5000), (1000, 5000, 5000));
    let first = Run { name: "table 3", cells: few, genes, components: 5, paper: &TABLE_3 };
    // The paper does not say how many cells and components.
    let second = Run { name: "table 6", cells: many, genes, components: 20, paper: &TABLE_6 };
    for (k, run) in [first, second].iter().enumerate() {
        table(run, k, context, sheet)?;
    }
    Ok(())
}

fn table(run: &Run, number: usize, context: &Context, sheet: &mut Sheet) -> Result<()> {
    let mut random = random(context.seed, number as u64);
    let made = cells::cells(&mut random, run.cells, run.genes, run.components)?;
    let sizes: Vec<f64> = made.groups.iter().map(|group| group.mass()).collect();
    println!("{} cells, groups of {sizes:?}", run.cells);
    if context.size != Size::Tiny {
        check_data(&made, run, sheet);
    }
    let all = (0..cells::GROUPS).flat_map(|i| (i + 1..cells::GROUPS).map(move |j| [i, j]));
    let all: Vec<[usize; 2]> = all.collect();
    let pair = |&[i, j]: &[usize; 2]| Pair::clouds(made.groups[i].clone(), made.groups[j].clone());
    let pairs: Vec<Pair> = all.iter().map(pair).collect::<Result<_>>()?;
    let w1: Vec<f64> = pairs.iter().map(Pair::w1).collect::<Result<_>>()?;
    let columns = methods::columns(&pairs, &Setup::new(context.size), context)?;

    let truth: Vec<f64> = pairs.iter().map(|pair| pair.truth).collect();
    let mut flat = vec![("exact", &truth[..])];
    flat.extend(columns.iter().map(|column| (column.name, &column.values[..])));
    let names = flat.iter().map(|(name, _)| format!("flat, {name}"));
    let names = std::iter::once("flat, the paper".to_owned())
        .chain(names)
        .chain(["W1, the paper", "W1, exact"].map(str::to_owned));
    let row = |(k, [i, j]): (usize, &[usize; 2])| {
        let ours = flat.iter().map(|(_, values)| values[k]);
        let numbers = std::iter::once(run.paper[k].0).chain(ours).chain([run.paper[k].1, w1[k]]);
        let pair = format!("G{} G{}", i + 1, j + 1);
        head(&pair, numbers.map(|value| format!("{value:.2}")))
    };
    let rows: Vec<_> = all.iter().enumerate().map(row).collect();
    sheet.table(run.name, &head("groups", names), &rows);

    // The order is what the paper's table says; its values are 40 % above the exact ones.
    let nearest = |values: &[f64]| {
        let others = values[..cells::GROUPS - 1].iter().zip(1..);
        others.min_by(|a, b| a.0.total_cmp(b.0)).map(|(_, group)| group)
    };
    if context.size != Size::Tiny {
        for (name, values) in &flat {
            let what = format!("{}: G1 is nearest to G3 or G5, flat, {name}", run.name);
            sheet.expect(what, matches!(nearest(values), Some(2 | 4)));
        }
        sheet.expect(format!("{}: G1 is nearest to G2 in W1", run.name), nearest(&w1) == Some(1));
    }
    let matrix = |values: &[f64]| {
        let mut matrix = Array2::zeros((cells::GROUPS, cells::GROUPS));
        for ([i, j], value) in all.iter().zip(values) {
            matrix[[*i, *j]] = *value;
            matrix[[*j, *i]] = *value;
        }
        matrix
    };
    let mut matrices: Vec<_> = flat.iter().map(|(_, values)| matrix(values)).collect();
    matrices.push(matrix(&w1));
    sheet.heat(&format!("cells_{number}"), &matrices)
}

/// Checks the generator against what it came to elsewhere.
fn check_data(made: &cells::Cells, run: &Run, sheet: &mut Sheet) {
    let mut check = |what: &str, found: f64, expected: f64, share: f64| {
        let band = expected * (1.0 - share)..=expected * (1.0 + share);
        sheet.check(format!("{}: {what}", run.name), found, band);
    };
    check("genes kept", made.genes as f64, 0.99 * run.genes as f64, 0.01);
    check("counts of a cell", made.library, 61_000.0, 0.03);
    // Those of signals and of noise grow with the number of cells.
    let growth = (run.cells as f64 / 1000.0).sqrt();
    for (k, expected) in [113.0, 90.0, 63.0].into_iter().enumerate() {
        let what = format!("singular value {}", k + 1);
        check(&what, made.singular_values[k], expected * growth, 0.15);
    }
    if run.cells == 1000 {
        check("singular value 4", made.singular_values[3], 27.0, 0.1);
    }
}
