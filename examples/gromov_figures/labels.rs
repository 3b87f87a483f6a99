//! Barycenters of spaces with labels.

use gaspard::gromov::{Barycenter, Fused, GridSpace};
use gaspard::linear::tree::Reference;
use gaspard::{Law, Result};
use ndarray::{Array2, array};

use crate::common::Sheet;
use crate::inputs::labelled_pictures;
use crate::{Inputs, report, save};

/// Barycenters of two pictures of two digits, with and without labels, balanced and not.
pub fn digits(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let mut pictures = Vec::new();
    for number in ["98", "81"] {
        let name = |index: usize| format!("digits{number}_{index}");
        let pictures_of = labelled_pictures(inputs, [&name(0), &name(1)])?;
        let support = GridSpace::whole_plane(pictures_of[0].shape)?;
        let columns = support.shape[1];
        let halves = support.cells.iter().map(|cell| usize::from(cell % columns < columns / 2));
        let labels = halves.collect();
        let support = GridSpace { space: support.space.clone().labelled(labels), ..support };
        let label_costs = array![[0.0, 1.0], [1.0, 0.0]];
        let labelled =
            Labelled { name: number, pictures: &pictures_of, support: &support, label_costs };
        pictures.extend(labelled.barycenters(2e-4, inputs, sheet)?);
    }
    save(inputs, "digits.png", &pictures)
}

/// Barycenters of camels with the labels of their parts.
pub fn camels(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let camels = labelled_pictures(inputs, ["camel_0", "camel_1"])?;
    let label_costs = array![
        [0.0, 0.25, 1.0, 0.25],
        [0.25, 0.0, 0.25, 1.0],
        [1.0, 0.25, 0.0, 0.25],
        [0.25, 1.0, 0.25, 0.0]
    ];
    let support = GridSpace::whole_plane([inputs.side(32, 64); 2])?.times_labels(4);
    let labelled = Labelled { name: "camels", pictures: &camels, support: &support, label_costs };
    save(inputs, "camels.png", &labelled.barycenters(7e-5, inputs, sheet)?)
}

/// Two pictures with labels, and where their barycenters lie.
struct Labelled<'a> {
    name: &'a str,
    pictures: &'a [GridSpace],
    support: &'a GridSpace,
    label_costs: Array2<f64>,
}

impl Labelled<'_> {
    /// By GW, unbalanced GW, fused GW and both.
    fn barycenters(
        &self,
        epsilon: f64,
        inputs: &Inputs<'_>,
        sheet: &mut Sheet,
    ) -> Result<Vec<Array2<f64>>> {
        let spaces: Vec<_> = self.pictures.iter().map(|picture| &picture.space).collect();
        let mut drawn = Vec::new();
        for (law, alpha, kind) in [
            (Law::Fixed, 1.0, "GW"),
            (Law::Kl { rho: 0.01 }, 1.0, "unbalanced GW"),
            (Law::Fixed, 0.5, "fused GW"),
            (Law::Kl { rho: 0.01 }, 0.5, "unbalanced fused GW"),
        ] {
            // On the counting measure, entropy rewards mass where nothing fixes it.
            let barycenter = Barycenter::of(&spaces, &self.support.space)
                .laws(&[law, law])
                .reference(Reference::Uniform)
                .fused(Fused { alpha, label_costs: self.label_costs.clone() });
            let control = inputs.control(epsilon, 2e-2);
            let solution = barycenter.solve(&control, &inputs.context.engine)?;
            let name = format!("{}, {kind}", self.name);
            report(sheet, &name, &solution);
            if law != Law::Fixed {
                sheet.check(format!("{name}: mass that is kept"), solution.mass, 0.8..=1.0);
            }
            drawn.push(self.support.draw(Barycenter::weights_of(&solution))?);
        }
        Ok(drawn)
    }
}
