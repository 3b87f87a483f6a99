//! What a free-support problem must be like.

use super::{FreeSupport, Plans};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gromov::problem::{check_alpha, check_distances};
use crate::linear::check_weights;
use crate::validate::{at_least_one, from_zero};

/// Matrices of a plan's size that are alive while it is found.
const MATRICES: u64 = 8;

impl FreeSupport {
    /// Refuses what makes no sense or does not fit.
    pub(super) fn validate(&self, engine: &Engine) -> Result<()> {
        if self.inputs.is_empty() {
            return Err(Error::data("the inputs", "there are none", "give at least one"));
        }
        check_weights(&self.weights, self.inputs.len())?;
        let points = self.masses.len();
        if points == 0 {
            return Err(Error::parameter("points", "it is 0", "give the barycenter at least 1"));
        }
        if let Some(mass) = self.masses.iter().find(|mass| !(mass.is_finite() && **mass > 0.0)) {
            return Err(Error::data(
                "the masses of the barycenter",
                format!("one of them is {mass}"),
                "every point needs a mass: without one its distances mean nothing",
            ));
        }
        if let Some(start) = &self.start {
            let (rows, cols) = start.dim();
            if (rows, cols) != (points, points) {
                let expected = format!("{points} x {points}, one row for each mass");
                return Err(Error::shape("the start", expected, format!("{rows} x {cols}")));
            }
            check_distances("the start", start)?;
        }
        self.check_features()?;
        self.require(engine)?;
        if let Some(tolerance) = self.tolerance {
            let remedy = "give the relative change of the distances to stop at";
            from_zero("tolerance", tolerance, remedy)?;
        }
        at_least_one("max-iterations", self.max_iterations)?;
        match &self.plans {
            Plans::Exact(control) => control.validate(),
            Plans::Entropic(control) => control.validate(),
        }
    }

    /// Refuses matrices that do not fit on the host: of every input D and D² (n x n) and, while its
    /// plan is found, [`MATRICES`] of the plan's size.
    fn require(&self, engine: &Engine) -> Result<()> {
        let host = engine.host();
        let m = self.masses.len() as u64;
        let own = self.inputs.iter().map(|input| {
            let n = input.len() as u64;
            n.saturating_mul(2 * n + m)
        });
        let largest = self.inputs.iter().map(|input| input.len() as u64).max().unwrap_or(0);
        let numbers = own
            .fold(0, u64::saturating_add)
            .saturating_add(m.saturating_mul(MATRICES * largest.saturating_add(m)));
        let remedy = "give inputs of fewer points, or ask for fewer points";
        host.require("the plans of a free support", numbers.saturating_mul(8), remedy)
    }

    fn check_features(&self) -> Result<()> {
        let Some(features) = &self.features else {
            return match &self.start_features {
                None => Ok(()),
                Some(_) => Err(Error::data(
                    "the features to start from",
                    "the inputs have none",
                    "give the inputs features too",
                )),
            };
        };
        check_alpha(features.alpha)?;
        if features.inputs.len() != self.inputs.len() {
            let expected = format!("one matrix for each of {} inputs", self.inputs.len());
            return Err(Error::shape("the features", expected, features.inputs.len().to_string()));
        }
        let columns = features.inputs[0].ncols().max(1);
        let inputs = features.inputs.iter().zip(&self.inputs).enumerate();
        let inputs = inputs.map(|(index, (features, space))| {
            (format!("the features of input {index}"), features, space.len())
        });
        let start = self.start_features.iter();
        let start =
            start.map(|start| ("the features to start from".to_owned(), start, self.masses.len()));
        for (name, features, points) in inputs.chain(start) {
            let (rows, cols) = features.dim();
            if (rows, cols) != (points, columns) {
                let expected = format!("a row for each of {points} points and {columns} columns");
                return Err(Error::shape(name, expected, format!("{rows} x {cols}")));
            }
            if let Some(wrong) = features.iter().find(|value| !value.is_finite()) {
                return Err(Error::data(name, format!("one is {wrong}"), "give finite numbers"));
            }
        }
        Ok(())
    }
}
