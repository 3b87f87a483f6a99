//! Which source is which: all permutations of a few.

use crate::error::{Error, Result};

/// There are 720 permutations of so many; 5040 of one more.
pub(crate) const MOST_SOURCES: usize = 6;

/// Refuses more sources than can be permuted in all ways.
pub(crate) fn check(sources: usize) -> Result<()> {
    if (1..=MOST_SOURCES).contains(&sources) {
        return Ok(());
    }
    let problem = format!("{sources} of them");
    Err(Error::parameter("sources", problem, format!("use 1 to {MOST_SOURCES}")))
}

/// All permutations of 0 .. count, in lexicographic order.
pub(crate) fn all(count: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for _ in 0..count {
        found = found
            .iter()
            .flat_map(|begun: &Vec<usize>| {
                let free = (0..count).filter(|next| !begun.contains(next));
                free.map(|next| [&begun[..], &[next]].concat())
            })
            .collect();
    }
    found
}

/// The permutation p with the largest sum of score(k, p[k]), the first one of several, and the sum.
pub(crate) fn best(count: usize, score: impl Fn(usize, usize) -> f64) -> (Vec<usize>, f64) {
    let sum = |order: &[usize]| -> f64 { (0..count).map(|k| score(k, order[k])).sum() };
    let start: Vec<usize> = (0..count).collect();
    let value = sum(&start);
    all(count).into_iter().fold((start, value), |(best, most), order| {
        let value = sum(&order);
        if value > most { (order, value) } else { (best, most) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_factorial_many_and_the_best_is_found() {
        assert_eq!(all(1), [[0]]);
        assert_eq!(all(3).len(), 6);
        assert_eq!(all(3)[5], [2, 1, 0]);
        let scores = [[1.0, 5.0, 0.0], [2.0, 6.5, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(best(3, |k, p| scores[k][p]), (vec![0, 1, 2], 8.5));
        assert_eq!(best(2, |k, p| -scores[k][p]).0, [1, 0]);
        assert_eq!(best(3, |_, _| 0.0).0, [0, 1, 2], "the first one of several");
        assert!(check(0).is_err() && check(7).is_err() && check(6).is_ok());
    }
}
