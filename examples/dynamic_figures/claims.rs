//! Whether numbers are where they should be.

use std::ops::RangeInclusive;

use gaspard::dynamic::Form;

use crate::cases::Case;
use crate::common::Sheet;
use crate::solves::Numbers;

/// How far off the prototype's a cost may be, relative to it, and anything else, as it is.
const COSTS: f64 = 0.02;
const MEASURES: f64 = 0.005;

/// Every kind of number beside the prototype's: how far off the worst of all rows is.
pub fn near(case: &Case, found: &[Numbers], sheet: &mut Sheet) {
    for (name, first) in &found[0] {
        let cost = name.starts_with("C_") || name == "total";
        let pairs = case.rows.iter().zip(found).flat_map(|(row, numbers)| {
            let theirs = row.prototype.iter().filter(|(one, _)| one == name);
            theirs.map(|(_, theirs)| (numbers.get(name).unwrap_or(first), *theirs))
        });
        let off = pairs.map(
            |(ours, theirs)| {
                if cost { (ours / theirs - 1.0).abs() } else { (ours - theirs).abs() }
            },
        );
        if let Some(worst) = off.reduce(f64::max) {
            let most = if cost { COSTS } else { MEASURES };
            let what = format!("{}: {name} off the prototype's at worst", case.example);
            sheet.check(what, worst, 0.0..=most);
        }
    }
}

/// What is true of any solution, and what the paper says of this one.
pub fn hold(case: &Case, found: &[Numbers], sheet: &mut Sheet) {
    let label = case.example;
    let of = |form: Form, name: &str| -> Vec<(f64, f64)> {
        let rows = case.rows.iter().zip(found).filter(|(row, _)| row.form == form);
        rows.filter_map(|(row, numbers)| Some((row.beta, *numbers.get(name)?))).collect()
    };
    let at = |form: Form, beta: f64, name: &str| {
        of(form, name).iter().find(|(one, _)| *one == beta).map_or(f64::NAN, |(_, number)| *number)
    };
    for form in [Form::Monge, Form::Shared, Form::Coupled, Form::Kantorovich] {
        let kind = format!("{form:?}").to_lowercase();
        let [first, second] = ["C_1", "C_2"].map(|name| of(form, name));
        if first.len() > 1 {
            let what = format!("{label}, {kind}: C_1 rises and C_2 falls with beta");
            sheet.expect(what, monotone(&first, 1.0) && monotone(&second, -1.0));
        }
        for (beta, total) in of(form, "total").into_iter().filter(|_| form != Form::Monge) {
            let what = format!("{label}, {kind}, beta {beta}: total beside that of particles");
            sheet.check(what, total / at(Form::Monge, beta, "total"), 0.0..=1.0);
        }
    }
    let mut claim = |what: &str, number: f64, band: RangeInclusive<f64>| {
        sheet.check(format!("{label}: {what}"), number, band);
    };
    let monge = |beta: f64, name: &str| at(Form::Monge, beta, name);
    match label {
        "6.1a" => {
            let bend = |beta| monge(beta, "deviation_other");
            claim(
                "bend of the path in the primary space, beta 0",
                monge(0.0, "deviation_primary"),
                0.0..=1e-3,
            );
            claim("bend in the other space, beta 10 beside 0", bend(10.0) / bend(0.0), 0.0..=0.2);
        }
        "6.1b" => {
            let change = |beta| (monge(beta, "width_other") - 1.0).abs();
            claim("change of width in the other space, beta 0", change(0.0), 0.2..=1.0);
            claim("change of width in the other space, beta 10", change(10.0), 0.0..=0.02);
        }
        "6.2a" => {
            claim("mass on the hill, beta 0", monge(0.0, "mass_on_the_hill"), 0.5..=1.0);
            claim("mass on the hill, beta 0.1", monge(0.1, "mass_on_the_hill"), 0.0..=0.05);
        }
        "6.2b" => {
            let widths = of(Form::Monge, "width_primary");
            claim("width between the hills, beta 10", monge(10.0, "width_primary"), 0.0..=0.3);
            sheet.expect("6.2b: width falls with beta", monotone(&widths, -1.0));
        }
        "6.3a" => {
            for (form, beta) in [
                (Form::Coupled, 0.1),
                (Form::Coupled, 1.0),
                (Form::Kantorovich, 0.1),
                (Form::Kantorovich, 1.0),
            ] {
                let mass = at(form, beta, "mass_on_the_hill");
                claim(&format!("mass on the hill, {form:?}, beta {beta}"), mass, 0.0..=0.1);
            }
        }
        "6.3b" => {
            claim("height half way, beta 0", monge(0.0, "height"), 0.0..=0.7);
            claim("height half way, beta 4", monge(4.0, "height"), 0.9..=1.1);
        }
        _ => {
            let change = |form, beta| {
                let [start, middle] =
                    ["brightness_start", "brightness_middle"].map(|name| at(form, beta, name));
                (middle - start).abs()
            };
            for form in [Form::Monge, Form::Shared] {
                let share = change(form, 1.0) / change(Form::Monge, 0.0);
                claim(
                    &format!("change of brightness, {form:?}, beta 1 beside 0"),
                    share,
                    0.0..=0.1,
                );
            }
        }
    }
}

/// Numbers that rise (1) or fall (-1) from each to the next, but for a thousandth.
fn monotone(numbers: &[(f64, f64)], sign: f64) -> bool {
    numbers.windows(2).all(|pair| sign * (pair[1].1 - pair[0].1) >= -1e-3 * pair[0].1.abs())
}
