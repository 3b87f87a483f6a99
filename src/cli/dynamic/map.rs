//! A map as it was asked for: samples in a file, or one that is built in.

use std::path::Path;

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Domain, Hill, Map};
use gaspard::io::npy;
use gaspard::{Error, Result};

/// `hills:X,Y,S[,H][;...]`, `scale:F`, `example:6.2a`, or a file of samples in this folder.
pub(in crate::cli) fn read(text: &str, folder: &Path, domain: &Domain) -> Result<Map> {
    let refusal = |problem: String, remedy: &str| Err(Error::parameter("--map", problem, remedy));
    match text.split_once(':') {
        Some(("example", name)) if domain.dimension() == 2 => Example::named(name)?.map(domain),
        Some(("example", _)) => {
            let problem = format!("{text} on {} axes", domain.dimension());
            refusal(problem, "the examples have 2 axes of space")
        }
        Some(("scale", factor)) => match factor.trim().parse::<f64>() {
            Ok(factor) if factor.is_finite() => Map::scaling(domain, factor),
            _ => refusal(format!("{factor} is no factor"), "give a number, as in scale:2"),
        },
        Some(("hills", hills)) => {
            let hills = hills.split(';').map(|hill| parse_hill(hill, domain.dimension()));
            match hills.collect::<Option<Vec<_>>>() {
                Some(hills) => Map::hills(domain, &hills),
                None => refusal(
                    format!("{text} has a hill that is none"),
                    "give centre, width and if it is not 1 height: hills:0.5,0.5,0.1;0.2,0.7,0.1,2",
                ),
            }
        }
        _ => Map::sampled(domain, npy::read(folder.join(text))?.view()),
    }
}

fn parse_hill(text: &str, dimension: usize) -> Option<Hill> {
    let numbers: Option<Vec<f64>> =
        text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = numbers?;
    let (centre, rest) = numbers.split_at_checked(dimension)?;
    let (width, height) = match rest {
        [width] => (*width, 1.0),
        [width, height] => (*width, *height),
        _ => return None,
    };
    Some(Hill { centre: centre.to_vec(), width, height })
}
