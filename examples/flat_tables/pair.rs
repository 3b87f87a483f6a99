//! Two measures and how far apart they are.

use gaspard::flat::{Cloud, Distance, dirac, exact};
use gaspard::linear::exact as simplex;
use gaspard::{Error, Result};
use ndarray::{Array1, Array2};

pub struct Pair {
    pub a: Cloud,
    pub b: Cloud,
    /// Their distance over the smaller of their masses.
    pub truth: f64,
}

impl Pair {
    /// A mass at one point, and a cloud: by the closed form.
    pub fn dirac(mass: f64, place: Array1<f64>, cloud: Cloud) -> Result<Self> {
        let truth = normalised(&dirac(mass, place.view(), &cloud)?)?;
        let point = place.insert_axis(ndarray::Axis(0));
        Ok(Self { a: Cloud::new("a point", point, ndarray::array![mass])?, b: cloud, truth })
    }

    /// Two clouds: by the network simplex.
    pub fn clouds(a: Cloud, b: Cloud) -> Result<Self> {
        let truth = normalised(&exact(&a, &b, &mut || false)?.distance)?;
        Ok(Self { a, b, truth })
    }

    /// Whether the truth is not the simplex's.
    pub fn has_closed_form(&self) -> bool {
        self.a.weights().len() == 1
    }

    /// |b| / |a|.
    pub fn ratio(&self) -> f64 {
        self.b.mass() / self.a.mass()
    }

    /// The smaller mass.
    pub fn least(&self) -> f64 {
        self.a.mass().min(self.b.mass())
    }

    /// W1 of the two, scaled to mass 1.
    pub fn w1(&self) -> Result<f64> {
        let [a, b] = [&self.a, &self.b].map(|cloud| (cloud.weights() / cloud.mass()).to_vec());
        let costs = Array2::from_shape_fn((a.len(), b.len()), |(i, j)| {
            let way = &self.a.points().row(i) - &self.b.points().row(j);
            way.dot(&way).sqrt()
        });
        let costs: Vec<f64> = costs.into_iter().collect();
        Ok(simplex::exact(&a, &b, &costs, &mut || false)?.value)
    }
}

pub fn normalised(distance: &Distance) -> Result<f64> {
    let without = || Error::data("a measure", "it has no mass", "take another seed");
    distance.normalised.ok_or_else(without)
}
