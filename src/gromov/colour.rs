//! Colours and labels carried along plans, for display.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::transfer::check_plan;
use crate::error::{Error, Result};
use crate::validate::from_zero;

/// An input whose colours go to a common space.
#[derive(Clone, Copy, Debug)]
pub struct Coloured<'a> {
    /// The plan: n points of the input in rows, m points of the common space in columns. Where a
    /// problem has them the other way round, give the transposed view.
    pub plan: ArrayView2<'a, f64>,
    /// The colours of the input's points: n rows, a column for each channel. Labels are channels
    /// that are 1 where a point has the label, and 0 elsewhere.
    pub colours: ArrayView2<'a, f64>,
    /// How much the input counts; only shares matter.
    pub weight: f64,
}

/// The colours that inputs give to the m points of a common space: m rows, a column for each
/// channel,
///
/// ```text
/// colour(y) = sum_i lambda_i sum_x P_i(x, y) colour_i(x) / nu(y),
/// nu(y) = sum_i lambda_i sum_x P_i(x, y)
/// ```
///
/// and 0 where nu(y) is less than `threshold`. (The colour transport of the experiments of Beier,
/// Beinert, Steidl, "Multi-marginal Gromov-Wasserstein Transport and Barycenters", 2023, section
/// 7.) Plans that agree on their marginal nu are averaged with the weights lambda.
///
/// # Errors
/// [`Error::Data`] without inputs, for plans or colours that are not finite and plans that are
/// negative; [`Error::Shape`] where sizes do not fit; [`Error::Parameter`] for a negative weight,
/// weights that are all 0 and a threshold that is negative or no number.
///
/// # Example
/// ```
/// use gaspard::gromov::{Coloured, carry_colours};
/// use ndarray::array;
/// let plan = array![[0.5, 0.25, 0.0], [0.0, 0.25, 0.0]];
/// let red_and_blue = array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
/// let input = Coloured { plan: plan.view(), colours: red_and_blue.view(), weight: 1.0 };
/// let colours = carry_colours(&[input], 1e-3)?;
/// assert_eq!(colours, array![[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn carry_colours(inputs: &[Coloured<'_>], threshold: f64) -> Result<Array2<f64>> {
    check(inputs, threshold)?;
    let (points, channels) = (inputs[0].plan.ncols(), inputs[0].colours.ncols());
    let total: f64 = inputs.iter().map(|input| input.weight).sum();
    let mut colours = Array2::zeros((points, channels));
    let mut masses = Array1::<f64>::zeros(points);
    for input in inputs {
        let share = input.weight / total;
        colours.scaled_add(share, &input.plan.t().dot(&input.colours));
        masses.scaled_add(share, &input.plan.sum_axis(Axis(0)));
    }
    for (mut colour, &mass) in colours.rows_mut().into_iter().zip(&masses) {
        if mass > 0.0 && mass >= threshold {
            colour /= mass;
        } else {
            colour.fill(0.0);
        }
    }
    Ok(colours)
}

fn check(inputs: &[Coloured<'_>], threshold: f64) -> Result<()> {
    from_zero("threshold", threshold, "give the least mass that is shown")?;
    let Some(first) = inputs.first() else {
        return Err(Error::data("the inputs", "there are none", "give at least one"));
    };
    for (index, input) in inputs.iter().enumerate() {
        let name = format!("the plan of input {index}");
        check_plan(&name, input.plan)?;
        if input.plan.ncols() != first.plan.ncols() {
            let expected = format!("{} columns, as in the first", first.plan.ncols());
            return Err(Error::shape(name, expected, input.plan.ncols().to_string()));
        }
        let name = format!("the colours of input {index}");
        let expected = (input.plan.nrows(), first.colours.ncols());
        if input.colours.dim() != expected {
            let (rows, cols) = input.colours.dim();
            let expected = format!("{} points x {} channels", expected.0, expected.1);
            return Err(Error::shape(name, expected, format!("{rows} x {cols}")));
        }
        if let Some(wrong) = input.colours.iter().find(|value| !value.is_finite()) {
            return Err(Error::data(name, format!("one is {wrong}"), "give finite numbers"));
        }
    }
    check_shares("the weights", inputs.iter().map(|input| input.weight))
}

/// Refuses weights of which only shares matter, where they are not shares of anything.
fn check_shares(name: &str, weights: impl Iterator<Item = f64>) -> Result<()> {
    let mut total = 0.0;
    for weight in weights {
        if !(weight >= 0.0 && weight.is_finite()) {
            let problem = format!("one of them is {weight}");
            return Err(Error::parameter(name, problem, "give finite numbers from 0 up"));
        }
        total += weight;
    }
    if total > 0.0 {
        return Ok(());
    }
    Err(Error::parameter(name, "all of them are 0", "give some input a positive weight"))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn inputs_are_averaged_and_faint_points_are_black() {
        let (first, second) = (array![[0.5, 0.499, 0.001]], array![[0.5, 0.499, 0.001]]);
        let (black, white) = (array![[0.0]], array![[1.0]]);
        let input = |plan, colours, weight| Coloured { plan, colours, weight };
        let inputs =
            [input(first.view(), black.view(), 3.0), input(second.view(), white.view(), 1.0)];
        let colours = carry_colours(&inputs, 0.01).unwrap();
        assert!((&colours - &array![[0.25], [0.25], [0.0]]).iter().all(|d| d.abs() < 1e-15));
    }

    #[test]
    fn bad_input_is_refused() {
        let (plan, colours) = (array![[0.5, 0.5]], array![[1.0]]);
        let good = Coloured { plan: plan.view(), colours: colours.view(), weight: 1.0 };
        assert!(matches!(carry_colours(&[], 0.0), Err(Error::Data { .. })));
        assert!(matches!(carry_colours(&[good], f64::NAN), Err(Error::Parameter { .. })));
        let weightless = Coloured { weight: 0.0, ..good };
        assert!(matches!(carry_colours(&[weightless], 0.0), Err(Error::Parameter { .. })));
        let two = array![[1.0], [2.0]];
        let misfit = Coloured { colours: two.view(), ..good };
        assert!(matches!(carry_colours(&[misfit], 0.0), Err(Error::Shape { .. })));
        let turned = Coloured { plan: plan.t(), colours: two.view(), weight: 1.0 };
        assert!(matches!(carry_colours(&[good, turned], 0.0), Err(Error::Shape { .. })));
    }
}
