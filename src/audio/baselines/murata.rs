//! Which separated signal of one frequency belongs to which of another.

use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::audio::permutation;

/// Rounds in which frequencies are compared with all others at most.
const MOST_ROUNDS: usize = 10;

/// For each frequency of magnitudes (F, source, T) the order in which its sources go together with
/// those of the others: envelopes of one source rise and fall together at all frequencies (Murata,
/// Ikeda and Ziehe 2001). Source k of frequency f is number `orders[f][k]` there.
pub(super) fn orders(magnitudes: &Array3<f64>) -> Vec<Vec<usize>> {
    let (frequencies, sources, frames) = magnitudes.dim();
    let envelopes: Vec<Array2<f64>> =
        magnitudes.axis_iter(Axis(0)).map(|rows| normalised(rows)).collect();
    // First those whose sources are told apart best.
    let likeness = |f: &usize| -> f64 {
        let rows = &envelopes[*f];
        let pairs = (0..sources).flat_map(|k| (0..k).map(move |j| (j, k)));
        pairs.map(|(j, k)| rows.row(j).dot(&rows.row(k))).sum()
    };
    let mut sequence: Vec<usize> = (0..frequencies).collect();
    sequence.sort_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let mut orders: Vec<Vec<usize>> = vec![(0..sources).collect(); frequencies];
    let mut sum = Array2::zeros((sources, frames));
    for f in sequence {
        let reference = normalised(sum.view());
        orders[f] = best(&reference, &envelopes[f]);
        for (k, &from) in orders[f].iter().enumerate() {
            let mut row = sum.row_mut(k);
            row += &magnitudes.slice(ndarray::s![f, from, ..]);
        }
    }
    for _ in 0..MOST_ROUNDS {
        let mut centre = Array2::<f64>::zeros((sources, frames));
        for (order, rows) in orders.iter().zip(&envelopes) {
            for (k, &from) in order.iter().enumerate() {
                let mut row = centre.row_mut(k);
                row += &rows.row(from);
            }
        }
        let next: Vec<Vec<usize>> = envelopes.iter().map(|rows| best(&centre, rows)).collect();
        if next == orders {
            break;
        }
        orders = next;
    }
    orders
}

/// The order of the rows that are most like those of a reference.
fn best(reference: &Array2<f64>, rows: &Array2<f64>) -> Vec<usize> {
    permutation::best(rows.nrows(), |k, p| reference.row(k).dot(&rows.row(p))).0
}

/// Rows without their mean, scaled to norm 1 where they are not constant.
fn normalised(rows: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut rows = rows.to_owned();
    for mut row in rows.rows_mut() {
        let mean = row.mean().unwrap_or(0.0);
        row -= mean;
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// Envelopes of two sources, swapped at every third frequency.
    #[test]
    fn swapped_frequencies_are_put_right() {
        let swapped = |f: usize| f % 3 == 1;
        let magnitudes = Array3::from_shape_fn((20, 2, 50), |(f, k, t)| {
            let source = if swapped(f) { 1 - k } else { k };
            let speed = [0.7, 0.31][source];
            (1.0 + (speed * t as f64).sin()) * (1.0 + 0.1 * (f as f64))
                + 0.01 * ((f * t) as f64).cos()
        });
        let orders = orders(&magnitudes);
        let first = orders[0].clone();
        for (f, order) in orders.iter().enumerate() {
            assert_eq!(*order == first, !swapped(f), "{f}");
        }
    }
}
