//! Group sort.

use multiversion::multiversion;

/// Sorts each group of a row in ascending order; `ranks` says where each entry goes. What is equal
/// keeps its order.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub(crate) fn group_sort(row: &[f64], group: usize, sorted: &mut [f64], ranks: &mut [u32]) {
    if group == 2 {
        let pairs =
            row.chunks_exact(2).zip(sorted.chunks_exact_mut(2)).zip(ranks.chunks_exact_mut(2));
        for (pair, ((row, sorted), ranks)) in pairs.enumerate() {
            let swapped = u32::from(row[0] > row[1]);
            let first = 2 * pair as u32;
            (ranks[0], ranks[1]) = (first + swapped, first + 1 - swapped);
            (sorted[0], sorted[1]) = (row[0].min(row[1]), row[0].max(row[1]));
        }
        return;
    }
    let groups = row.chunks(group).zip(sorted.chunks_mut(group)).zip(ranks.chunks_mut(group));
    for (index, ((row, sorted), ranks)) in groups.enumerate() {
        // How many entries go before each: those below, and those before it that are equal.
        ranks.fill(0);
        for (before, &value) in row.iter().enumerate() {
            let (first, second) = ranks.split_at_mut(before);
            let (row_first, row_second) = row.split_at(before);
            let first = first.iter_mut().zip(row_first);
            first.for_each(|(rank, other)| *rank += u32::from(value < *other));
            let second = second.iter_mut().zip(row_second).skip(1);
            second.for_each(|(rank, other)| *rank += u32::from(value <= *other));
        }
        for (rank, value) in ranks.iter_mut().zip(row) {
            sorted[*rank as usize] = *value;
            *rank += (index * group) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::group_sort;

    #[test]
    fn groups_are_sorted_and_ranks_say_how() {
        let row: Vec<f64> = (0..24).map(|i| f64::from((i * 7 + 3) % 11)).collect();
        for group in [2, 4, 8, 12, 24] {
            let (mut sorted, mut ranks) = (vec![f64::NAN; 24], vec![0; 24]);
            group_sort(&row, group, &mut sorted, &mut ranks);
            let mut expected = row.clone();
            expected.chunks_mut(group).for_each(|part| part.sort_by(f64::total_cmp));
            assert_eq!(sorted, expected);
            let mut seen = ranks.clone();
            seen.sort_unstable();
            assert!(seen.iter().enumerate().all(|(place, rank)| place == *rank as usize));
            assert!(ranks.iter().zip(&row).all(|(rank, value)| sorted[*rank as usize] == *value));
        }
    }
}
