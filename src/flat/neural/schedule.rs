//! How the learning rate and the penalty go along.

use crate::kernels::flat::network::Step;

/// How the learning rate falls.
#[derive(Clone, Debug, PartialEq)]
pub enum Rate {
    /// Not at all.
    Constant,
    /// By a factor after each of these epochs: 0.9 after 32 and 64 is what the paper's code does.
    Steps {
        /// The factor.
        factor: f64,
        /// The epochs.
        after: Vec<usize>,
    },
    /// By a factor after every epoch.
    Exponential {
        /// The factor.
        factor: f64,
    },
    /// Half a period of a cosine, down to this part of where it began.
    Cosine {
        /// The part, from 0 to 1.
        to: f64,
    },
}

impl Rate {
    /// The part of the first rate that is left after so many of all epochs.
    pub(super) fn left(&self, done: usize, epochs: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Steps { factor, after } => {
                let steps = after.iter().filter(|epoch| **epoch <= done).count();
                factor.powi(steps as i32)
            }
            Self::Exponential { factor } => factor.powf(done as f64),
            Self::Cosine { to } => {
                let turn = std::f64::consts::PI * done as f64 / epochs as f64;
                to + (1.0 - to) * 0.5 * (1.0 + turn.cos())
            }
        }
    }
}

/// The steps of all epochs. The weight lambda of the penalty is 10 for a fifth of them, goes to
/// Lambda 1 until half of them are over and to Lambda 2 until four fifths are (A.2 of the paper).
pub(super) fn steps(first_rate: f64, rate: &Rate, epochs: usize) -> Vec<Step> {
    let at = |part: f64| (part * epochs as f64) as usize;
    let (t_1, t_2, t_3) = (at(0.2), at(0.5), at(0.8));
    let between = |t: usize, begin: usize, end: usize| (t - begin) as f64 / (end - begin) as f64;
    // t epochs are over.
    let penalty = |t: usize| {
        if t <= t_1 {
            [1.0, 0.0, 0.0]
        } else if t < t_2 {
            let share = between(t, t_1, t_2);
            [1.0 - share, share, 0.0]
        } else if t == t_2 {
            [0.0, 1.0, 0.0]
        } else if t < t_3 {
            let share = between(t, t_2, t_3);
            [0.0, 1.0 - share, share]
        } else {
            [0.0, 0.0, 1.0]
        }
    };
    let sets = |t: usize| match t {
        t if t == t_1 => 1,
        t if t == t_2 => 2,
        _ => 0,
    };
    (0..epochs)
        .map(|done| Step {
            rate: first_rate * rate.left(done, epochs),
            penalty: penalty(done),
            sets: sets(done + 1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_goes_through_its_phases() {
        let steps = steps(0.01, &Rate::Constant, 20);
        // Lambda 1 is set by the fourth epoch, Lambda 2 by the tenth.
        assert_eq!(steps.iter().position(|step| step.sets == 1), Some(3));
        assert_eq!(steps.iter().position(|step| step.sets == 2), Some(9));
        assert!(steps.iter().all(|step| (step.penalty.iter().sum::<f64>() - 1.0).abs() < 1e-15));
        assert_eq!(steps[4].penalty, [1.0, 0.0, 0.0]);
        assert_eq!(steps[7].penalty, [0.5, 0.5, 0.0]);
        assert_eq!(steps[10].penalty, [0.0, 1.0, 0.0]);
        assert_eq!(steps[13].penalty, [0.0, 0.5, 0.5]);
        assert_eq!(steps[16].penalty, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn rates_fall_as_they_should() {
        let paper = Rate::Steps { factor: 0.9, after: vec![32, 64] };
        assert_eq!(paper.left(31, 100), 1.0);
        assert_eq!(paper.left(32, 100), 0.9);
        assert!((paper.left(64, 100) - 0.81).abs() < 1e-15);
        let cosine = Rate::Cosine { to: 0.02 };
        assert_eq!(cosine.left(0, 100), 1.0);
        assert!((cosine.left(50, 100) - 0.51).abs() < 1e-15);
        assert_eq!(Rate::Exponential { factor: 0.5 }.left(3, 100), 0.125);
    }
}
