//! Pictures like those of DOTmark against one bright pixel.

use gaspard::Result;
use ndarray::Array1;

use crate::common::{Context, Sheet, head, median, percent};
use crate::data::images::{Class, cloud, place};
use crate::data::random;
use crate::methods::{self, Setup};
use crate::pair::Pair;

/// The mass of the bright pixel over that of the picture.
const RATIOS: [f64; 4] = [0.1, 0.5, 1.0, 2.0];
/// Medians of the distance over ten pictures, made elsewhere in the same way.
const ELSEWHERE: [[f64; 4]; 3] =
    [[9.4, 2.0, 1.45, 2.45], [10.0, 2.4, 1.6, 2.6], [9.2, 1.45, 0.70, 1.70]];
const PICTURES: usize = 10;

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let mut shown = Vec::new();
    for &side in context.size.pick(&[8][..], &[32], &[32, 64]) {
        for (class, elsewhere) in Class::ALL.into_iter().zip(&ELSEWHERE) {
            shown.push(one_class(class, side, elsewhere, context, sheet)?);
        }
    }
    sheet.heat("images", &shown)
}

/// The first picture of the class.
fn one_class(
    class: Class,
    side: usize,
    elsewhere: &[f64; 4],
    context: &Context,
    sheet: &mut Sheet,
) -> Result<ndarray::Array2<f64>> {
    let estimated = context.size.pick(1, 2, PICTURES);
    let mut setup = Setup::new(context.size);
    // Up to 4096 points each.
    setup.paper = setup.paper.epochs(context.size.pick(60, 800, 2000));
    setup.tight = setup.tight.epochs(context.size.pick(30, 500, 1000));
    let pictures: Vec<_> = (0..PICTURES)
        .map(|k| class.draw(&mut random(context.seed, (100 * side + k) as u64), side, k))
        .collect();
    let label = format!("{}, {side} x {side}", class.name());
    let mut rows = vec![
        head("distance, elsewhere", elsewhere.map(|value| format!("{value:.2}"))),
        head::<String>("distance, median of 10", []),
    ];
    let mut checked = Vec::new();
    for (ratio, elsewhere) in RATIOS.iter().zip(elsewhere) {
        let pair = |picture: &ndarray::Array2<f64>| {
            let pixels = cloud(picture)?;
            let spot = Array1::from_iter(place(side, side / 2, side / 2));
            Pair::dirac(ratio * pixels.mass(), spot, pixels)
        };
        let mut pairs: Vec<Pair> = pictures.iter().map(pair).collect::<Result<_>>()?;
        let truth = median(&pairs.iter().map(|pair| pair.truth).collect::<Vec<_>>());
        rows[1].push(format!("{truth:.2}"));
        if context.size != crate::common::Size::Tiny {
            let what = format!("{label}, q = {ratio}: median distance");
            sheet.check(what, truth, 0.8 * elsewhere..=1.2 * elsewhere);
        }
        pairs.truncate(estimated);
        let columns = methods::columns(&pairs, &setup, context)?;
        for (k, column) in columns.iter().enumerate() {
            if rows.len() < k + 3 {
                rows.push(head::<String>(&format!("error in %, {}", column.name), []));
            }
            rows[k + 2].push(percent(median(&column.errors(&pairs))));
        }
        checked.push((ratio, columns, pairs));
    }
    sheet.table(&label, &head("q", RATIOS), &rows);
    for (ratio, columns, pairs) in checked {
        methods::check(sheet, &format!("{label}, q = {ratio}"), &columns, &pairs);
    }
    Ok(pictures[0].clone())
}
