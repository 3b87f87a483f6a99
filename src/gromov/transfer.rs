//! Transfer operators: how a plan carries masses and functions from one space to the other.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::validate::from_zero;

/// The transfer operator of a plan P between a space of n points (rows) and one of m (columns),
///
/// ```text
/// K = ( diag(r + kappa)^-1 P )^T,    r = P 1,    0^-1 = 0
/// ```
///
/// an m x n matrix: column x says where the mass of point x goes (Beier, Beinert, Steidl,
/// "Multi-marginal Gromov-Wasserstein Transport and Barycenters", 2023, equation 24). At kappa = 0
/// its columns sum to 1 where r is not zero, so that it keeps the mass of whatever lies on the
/// support of the plan; a small kappa > 0 damps the points that carry almost no mass.
///
/// ```
/// use gaspard::gromov::Transfer;
/// use ndarray::array;
/// // The first point is split in two, the second goes to the last as a whole.
/// let plan = array![[0.25, 0.25, 0.0], [0.0, 0.0, 0.5]];
/// let transfer = Transfer::new(&plan, 0.0)?;
/// assert_eq!(transfer.push(&array![1.0, 3.0])?, array![0.5, 0.5, 3.0]);
/// assert_eq!(transfer.pull(&array![4.0, 8.0, 1.0])?, array![6.0, 1.0]);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// K.
    matrix: Array2<f64>,
    /// r, the row sums of the first plan.
    from: Array1<f64>,
    /// q, the column sums of the last plan.
    to: Array1<f64>,
}

impl Transfer {
    /// The transfer operator of a plan of n rows and m columns, damped by `kappa` in the units of
    /// its row sums.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a kappa that is negative or no number, [`Error::Shape`] for a plan
    /// without entries, [`Error::Data`] for entries that are negative or not finite.
    pub fn new(plan: &Array2<f64>, kappa: f64) -> Result<Self> {
        from_zero("kappa", kappa, "give 0 or a small part of a row's sum")?;
        check_plan("the plan", plan.view())?;
        let (from, to) = (plan.sum_axis(Axis(1)), plan.sum_axis(Axis(0)));
        let mut matrix = plan.t().to_owned();
        for (mut column, sum) in matrix.columns_mut().into_iter().zip(&from) {
            let divisor = sum + kappa;
            if divisor > 0.0 {
                column /= divisor;
            }
        }
        Ok(Self { matrix, from, to })
    }

    /// K, of m rows and n columns.
    pub fn matrix(&self) -> &Array2<f64> {
        &self.matrix
    }

    /// K v: where masses on the n points go.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are n masses, [`Error::Data`] where one is not finite.
    pub fn push(&self, mass: &Array1<f64>) -> Result<Array1<f64>> {
        check("the mass", mass, self.matrix.ncols())?;
        Ok(self.matrix.dot(mass))
    }

    /// diag(q)^-1 K diag(r) h: what becomes of a density h with respect to r, as a density with
    /// respect to q, the column sums of the plan. At kappa = 0 that is diag(q)^-1 P^T h, which
    /// leaves the density 1 as it is.
    ///
    /// # Errors
    /// As [`Transfer::push`].
    pub fn push_density(&self, density: &Array1<f64>) -> Result<Array1<f64>> {
        check("the density", density, self.matrix.ncols())?;
        let mass = self.matrix.dot(&(density * &self.from));
        let points = mass.iter().zip(&self.to);
        Ok(points.map(|(mass, q)| if *q > 0.0 { mass / q } else { 0.0 }).collect())
    }

    /// K^T h: a function on the m points as it is seen from the n points, each of which takes the
    /// mean over where its mass goes. The adjoint of [`Transfer::push`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are m values, [`Error::Data`] where one is not finite.
    pub fn pull(&self, function: &Array1<f64>) -> Result<Array1<f64>> {
        check("the function", function, self.matrix.nrows())?;
        Ok(self.matrix.t().dot(function))
    }

    /// This operator, and the next one after it: the product of their matrices.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the next one starts from as many points as this one ends at.
    pub fn then(&self, next: &Self) -> Result<Self> {
        if next.matrix.ncols() != self.matrix.nrows() {
            let expected = format!("one from {} points", self.matrix.nrows());
            let found = format!("one from {}", next.matrix.ncols());
            return Err(Error::shape("the next transfer operator", expected, found));
        }
        Ok(Self {
            matrix: next.matrix.dot(&self.matrix),
            from: self.from.clone(),
            to: next.to.clone(),
        })
    }
}

/// The way of a mass through a chain of spaces: v, K_0 v, K_1 K_0 v and so on; one vector more
/// than there are operators.
///
/// ```
/// use gaspard::gromov::{Transfer, propagate};
/// use ndarray::array;
///
/// let swap = Transfer::new(&array![[0.0, 0.5], [0.5, 0.0]], 0.0)?;
/// let way = propagate(&[swap.clone(), swap], array![1.0, 0.0])?;
/// assert_eq!(way, [array![1.0, 0.0], array![0.0, 1.0], array![1.0, 0.0]]);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// As [`Transfer::push`].
pub fn propagate(chain: &[Transfer], mass: Array1<f64>) -> Result<Vec<Array1<f64>>> {
    let mut way = Vec::with_capacity(chain.len() + 1);
    let mut here = mass;
    for transfer in chain {
        let next = transfer.push(&here)?;
        way.push(std::mem::replace(&mut here, next));
    }
    way.push(here);
    Ok(way)
}

/// Refuses a plan without entries, or with one that is no mass.
pub(super) fn check_plan(name: &str, plan: ArrayView2<'_, f64>) -> Result<()> {
    let (rows, cols) = plan.dim();
    if plan.is_empty() {
        return Err(Error::shape(name, "at least one entry", format!("{rows} x {cols}")));
    }
    if let Some(wrong) = plan.iter().find(|entry| !(entry.is_finite() && **entry >= 0.0)) {
        let problem = format!("one of its entries is {wrong}");
        return Err(Error::data(name, problem, "masses are finite and not negative"));
    }
    Ok(())
}

fn check(name: &str, vector: &Array1<f64>, points: usize) -> Result<()> {
    if vector.len() != points {
        let expected = format!("one value for each of {points} points");
        return Err(Error::shape(name, expected, vector.len().to_string()));
    }
    if let Some(wrong) = vector.iter().find(|value| !value.is_finite()) {
        return Err(Error::data(name, format!("one value is {wrong}"), "give finite numbers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn close(a: &Array1<f64>, b: &Array1<f64>) {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-14, "{a} is not {b}"));
    }

    #[test]
    fn mass_on_the_support_is_kept() {
        let plan = array![[0.1, 0.2, 0.0], [0.0, 0.0, 0.0], [0.05, 0.0, 0.4]];
        let transfer = Transfer::new(&plan, 0.0).unwrap();
        let sums = transfer.matrix().sum_axis(Axis(0));
        close(&sums, &array![1.0, 0.0, 1.0]);
        let pushed = transfer.push(&array![2.0, 0.0, 5.0]).unwrap();
        assert!((pushed.sum() - 7.0).abs() < 1e-14);
        // What lies outside the support goes nowhere.
        assert_eq!(transfer.push(&array![0.0, 3.0, 0.0]).unwrap(), array![0.0, 0.0, 0.0]);
        // The row sums go to the column sums.
        close(&transfer.push(&plan.sum_axis(Axis(1))).unwrap(), &plan.sum_axis(Axis(0)));
    }

    #[test]
    fn the_identity_changes_nothing() {
        let transfer = Transfer::new(&(Array2::eye(4) / 4.0), 0.0).unwrap();
        let values = array![1.0, -2.0, 3.0, 0.5];
        assert_eq!(transfer.push(&values).unwrap(), values);
        assert_eq!(transfer.pull(&values).unwrap(), values);
        assert_eq!(transfer.push_density(&values).unwrap(), values);
    }

    #[test]
    fn kappa_damps_light_rows() {
        let transfer = Transfer::new(&array![[0.9, 0.0], [0.0, 1e-6]], 0.1).unwrap();
        let pushed = transfer.push(&array![1.0, 1.0]).unwrap();
        assert!((pushed[0] - 0.9).abs() < 1e-14 && pushed[1] < 1.1e-5);
    }

    #[test]
    fn composition_is_the_product() {
        let first = Transfer::new(&array![[0.25, 0.25], [0.1, 0.4]], 0.0).unwrap();
        let second = Transfer::new(&array![[0.2, 0.1, 0.05], [0.3, 0.0, 0.35]], 0.0).unwrap();
        let both = first.then(&second).unwrap();
        assert_eq!(*both.matrix(), second.matrix().dot(first.matrix()));
        let mass = array![0.3, 0.6];
        let way = propagate(&[first.clone(), second.clone()], mass.clone()).unwrap();
        assert_eq!(way.len(), 3);
        assert_eq!(way[0], mass);
        close(&way[2], &both.push(&mass).unwrap());
        // Densities, where the plans agree on the space between them.
        let density = array![0.5, 2.0];
        let between = first.push_density(&density).unwrap();
        close(&second.push_density(&between).unwrap(), &both.push_density(&density).unwrap());
        close(&both.push_density(&array![1.0, 1.0]).unwrap(), &array![1.0, 1.0, 1.0]);
    }

    #[test]
    fn bad_input_is_refused() {
        let plan = array![[0.5, 0.5]];
        assert!(matches!(Transfer::new(&plan, -1.0), Err(Error::Parameter { .. })));
        assert!(matches!(Transfer::new(&plan, f64::NAN), Err(Error::Parameter { .. })));
        assert!(matches!(Transfer::new(&array![[-0.5]], 0.0), Err(Error::Data { .. })));
        assert!(matches!(Transfer::new(&array![[f64::NAN]], 0.0), Err(Error::Data { .. })));
        assert!(matches!(Transfer::new(&Array2::zeros((0, 2)), 0.0), Err(Error::Shape { .. })));
        let transfer = Transfer::new(&plan, 0.0).unwrap();
        assert!(matches!(transfer.push(&array![1.0, 1.0]), Err(Error::Shape { .. })));
        assert!(matches!(transfer.pull(&array![1.0]), Err(Error::Shape { .. })));
        assert!(matches!(transfer.push(&array![f64::NAN]), Err(Error::Data { .. })));
        assert!(matches!(transfer.then(&transfer), Err(Error::Shape { .. })));
    }
}
