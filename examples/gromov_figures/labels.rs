//! Barycenters of spaces with labels.

use gaspard::gromov::{Barycenter, Control, Fused, GridSpace};
use gaspard::linear::tree::Reference;
use gaspard::{Engine, Law, Result};
use ndarray::{Array2, array};

use crate::inputs::labelled_pictures;
use crate::{Options, report, save};

/// Barycenters of two pictures of two digits, with and without labels, balanced and not.
pub fn digits(options: &Options, engine: &Engine) -> Result<()> {
    let mut pictures = Vec::new();
    for number in ["98", "81"] {
        let name = |index: usize| format!("digits{number}_{index}");
        let inputs = labelled_pictures(options, [&name(0), &name(1)])?;
        let support = GridSpace::whole_plane(inputs[0].shape)?;
        let columns = support.shape[1];
        let halves = support.cells.iter().map(|cell| usize::from(cell % columns < columns / 2));
        let labels = halves.collect();
        let support = GridSpace { space: support.space.clone().labelled(labels), ..support };
        let label_costs = array![[0.0, 1.0], [1.0, 0.0]];
        labelled_barycenters(number, engine, &inputs, &support, &label_costs, 2e-4, &mut pictures)?;
    }
    save(options, "digits.png", &pictures)
}

/// Barycenters of camels with the labels of their parts.
pub fn camels(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = labelled_pictures(options, ["camel_0", "camel_1"])?;
    let label_costs = array![
        [0.0, 0.25, 1.0, 0.25],
        [0.25, 0.0, 0.25, 1.0],
        [1.0, 0.25, 0.0, 0.25],
        [0.25, 1.0, 0.25, 0.0]
    ];
    let support = GridSpace::whole_plane([options.side; 2])?.times_labels(4);
    let mut pictures = Vec::new();
    labelled_barycenters("camels", engine, &inputs, &support, &label_costs, 7e-5, &mut pictures)?;
    save(options, "camels.png", &pictures)
}

/// GW, unbalanced GW, fused GW and both.
fn labelled_barycenters(
    name: &str,
    engine: &Engine,
    inputs: &[GridSpace],
    support: &GridSpace,
    label_costs: &Array2<f64>,
    epsilon: f64,
    pictures: &mut Vec<Array2<f64>>,
) -> Result<()> {
    let spaces: Vec<_> = inputs.iter().map(|input| &input.space).collect();
    for (law, alpha, kind) in [
        (Law::Fixed, 1.0, "GW"),
        (Law::Kl { rho: 0.01 }, 1.0, "unbalanced GW"),
        (Law::Fixed, 0.5, "fused GW"),
        (Law::Kl { rho: 0.01 }, 0.5, "unbalanced fused GW"),
    ] {
        // On the counting measure, entropy rewards mass where nothing fixes it.
        let barycenter = Barycenter::of(&spaces, &support.space)
            .laws(&[law, law])
            .reference(Reference::Uniform)
            .fused(Fused { alpha, label_costs: label_costs.clone() });
        let control = Control { tolerance: Some(2e-2), ..Control::new(epsilon) };
        let solution = barycenter.solve(&control, engine, &mut ())?.swap_remove(0);
        report(&format!("{name}, {kind}"), &solution);
        pictures.push(support.draw(Barycenter::weights_of(&solution))?);
    }
    Ok(())
}
