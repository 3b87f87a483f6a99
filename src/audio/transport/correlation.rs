//! Lags at which two spectrograms look alike.

use super::scene::Scene;

/// The lags of the `count` highest peaks of c(d) = sum_tf q1(t, f) q2(t + d, f) within plus and minus
/// `largest`, q being the square root of the columns without its mean over time, times that of the
/// mass of the frequency. Where there are fewer peaks, the highest other lags.
pub(super) fn peaks(scene: &Scene, microphone: usize, largest: f64, count: usize) -> Vec<f64> {
    let largest = largest.floor() as i32;
    let mut correlation = vec![0.0; 2 * largest as usize + 1];
    for (f, mass) in scene.masses.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
        let [first, second] = [0, microphone].map(|l| centred_root(scene.column(f, l)));
        for (lag, sum) in (-largest..=largest).zip(&mut correlation) {
            let first = first.iter().skip((-lag).max(0) as usize);
            let pairs = first.zip(second.iter().skip(lag.max(0) as usize));
            *sum += mass * pairs.map(|(a, b)| a * b).sum::<f64>();
        }
    }
    let at = |place: usize| correlation.get(place).copied().unwrap_or(f64::NEG_INFINITY);
    let is_peak =
        |place: usize| at(place) > at(place.wrapping_sub(1)) && at(place) >= at(place + 1);
    let mut order: Vec<usize> = (0..correlation.len()).collect();
    order.sort_by(|a, b| {
        let height = at(*b).total_cmp(&at(*a));
        is_peak(*b).cmp(&is_peak(*a)).then(height)
    });
    order.iter().take(count).map(|place| (*place as i32 - largest).into()).collect()
}

fn centred_root(column: &[f64]) -> Vec<f64> {
    let roots: Vec<f64> = column.iter().map(|value| value.sqrt()).collect();
    let mean = roots.iter().sum::<f64>() / roots.len() as f64;
    roots.iter().map(|root| root - mean).collect()
}
