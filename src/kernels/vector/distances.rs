//! Distances from one point to many.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::multiply_add;

/// squares_j = sum_k (here_k - there_kj)^2, for up to four coordinates at a time; with
/// `accumulate`, added to what is there.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn squared_distances(
    here: &[f64],
    there: &[&[f64]],
    accumulate: bool,
    squares: &mut [f64],
) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        squared_distances_of::<true>(here, there, accumulate, squares);
    } else {
        squared_distances_of::<false>(here, there, accumulate, squares);
    }
}

#[inline(always)]
fn squared_distances_of<const FUSED: bool>(
    here: &[f64],
    there: &[&[f64]],
    accumulate: bool,
    squares: &mut [f64],
) {
    let count = squares.len();
    let begin = |square: f64| if accumulate { square } else { 0.0 };
    let add = |here: f64, there: f64, square: f64| {
        let step = here - there;
        multiply_add::<FUSED>(step, step, square)
    };
    match (here, there) {
        (&[x], &[a]) => {
            for (square, &a) in squares.iter_mut().zip(&a[..count]) {
                *square = add(x, a, begin(*square));
            }
        }
        (&[x, y], &[a, b]) => {
            for ((square, &a), &b) in squares.iter_mut().zip(&a[..count]).zip(&b[..count]) {
                *square = add(y, b, add(x, a, begin(*square)));
            }
        }
        (&[x, y, z], &[a, b, c]) => {
            for (((square, &a), &b), &c) in
                squares.iter_mut().zip(&a[..count]).zip(&b[..count]).zip(&c[..count])
            {
                *square = add(z, c, add(y, b, add(x, a, begin(*square))));
            }
        }
        (&[x, y, z, w], &[a, b, c, d]) => {
            for ((((square, &a), &b), &c), &d) in squares
                .iter_mut()
                .zip(&a[..count])
                .zip(&b[..count])
                .zip(&c[..count])
                .zip(&d[..count])
            {
                *square = add(w, d, add(z, c, add(y, b, add(x, a, begin(*square)))));
            }
        }
        _ => unreachable!("one to four coordinates at a time"),
    }
}

/// Replaces every number by its square root.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn square_roots(values: &mut [f64]) {
    for value in values {
        *value = value.sqrt();
    }
}
