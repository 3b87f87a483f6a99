//! The examples of the paper (section 6). Its numbers are lost: these are our own.

mod claims;

use std::f64::consts::PI;

use claims::Measure;

use super::{Bins, Domain, Form, Map, Problem};
use crate::error::{Error, Result};

/// An example of the paper on the unit square.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::dynamic::paper::Example;
/// use gaspard::dynamic::Control;
///
/// let example = Example::named("6.2a")?;
/// let mass = |beta| {
///     let problem = example.problem([12, 12], 6, example.form, beta)?;
///     let solution = problem.solve(&Control::default(), &Engine::cpu())?;
///     // How much of it is on the hill half way.
///     Ok::<_, gaspard::Error>(example.measure(&problem, &solution)?[0].1)
/// };
/// assert!(mass(1.0)? < 0.2 * mass(0.0)?);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Example {
    /// Its name: the figure and the panel.
    pub name: &'static str,
    /// What it shows.
    pub claim: &'static str,
    /// How the spaces are tied together.
    pub form: Form,
    measure: Measure,
    from: [f64; 2],
    to: [f64; 2],
    width: f64,
    map: fn(f64, f64) -> Vec<f64>,
}

/// A hill in the middle of the way.
const HILL: Example = Example {
    name: "6.2a",
    claim: "mass goes around the hill as beta grows",
    form: Form::Monge,
    measure: Measure::Hill,
    from: [0.2, 0.2],
    to: [0.8, 0.8],
    width: 0.08,
    map: |x, y| vec![bump(x - 0.5, y - 0.5, 0.1)],
};

/// All of them.
pub const EXAMPLES: [Example; 8] = [
    Example {
        name: "6.1a",
        claim: "the path is straight in the primary space for small beta, in the other for large",
        form: Form::Monge,
        measure: Measure::Bend,
        from: [0.25, 0.25],
        to: [0.75, 0.75],
        width: 0.08,
        map: |x, y| vec![x, y + 0.25 * swell(x, y)],
    },
    Example {
        name: "6.1b",
        claim: "both paths are straight, and the width is kept in the space that counts",
        form: Form::Monge,
        measure: Measure::Width,
        from: [0.25, 0.25],
        to: [0.75, 0.75],
        width: 0.08,
        map: |x, y| {
            let shear = 0.4 * (x - y) * swell(x, y);
            vec![x + shear, y - shear]
        },
    },
    HILL,
    Example {
        name: "6.2b",
        claim: "mass goes between the hills, closer together as beta grows",
        form: Form::Monge,
        measure: Measure::Width,
        from: [0.2, 0.2],
        to: [0.8, 0.8],
        width: 0.08,
        map: |x, y| vec![bump(x - 0.25, y - 0.75, 0.15) + bump(x - 0.75, y - 0.25, 0.15)],
    },
    Example {
        name: "6.3a",
        claim: "mass goes around the hill as beta grows, also where densities alone are tied",
        form: Form::Coupled,
        ..HILL
    },
    Example {
        name: "6.3b",
        claim: "mass follows the ridge as beta grows",
        form: Form::Shared,
        measure: Measure::Height,
        from: [0.2, 0.526],
        to: [0.8, 0.526],
        width: 0.06,
        map: |x, y| vec![x, y, 0.5 * bump(0.0, y - 0.35 - 0.3 * (PI * x).sin(), 0.08)],
    },
    Example {
        name: "6.4a",
        claim: "mass follows the dark band as beta grows",
        form: Form::Shared,
        measure: Measure::Brightness,
        from: [0.2, 0.526],
        to: [0.8, 0.526],
        width: 0.06,
        map: |x, y| colour(x, 1.0 - 0.9 * bump(0.0, y - 0.35 - 0.3 * (PI * x).sin(), 0.1)),
    },
    Example {
        name: "6.4b",
        claim: "mass follows the bright band as beta grows",
        form: Form::Shared,
        measure: Measure::Brightness,
        from: [0.2, 0.473],
        to: [0.8, 0.473],
        width: 0.06,
        map: |x, y| colour(x, 0.1 + 0.9 * bump(0.0, y - 0.62 + 0.25 * (PI * x).sin(), 0.12)),
    },
];

impl Example {
    /// The example of this name.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that is none.
    pub fn named(name: &str) -> Result<&'static Self> {
        EXAMPLES.iter().find(|example| example.name == name).ok_or_else(|| {
            let names: Vec<&str> = EXAMPLES.iter().map(|example| example.name).collect();
            let remedy = format!("give one of {}", names.join(", "));
            Error::parameter("example", format!("{name} is none"), remedy)
        })
    }

    /// The problem on so many cells, tied in this form, with this weight of the other space.
    /// Heights lie in 32 bins of the unit interval where a form asks for bins.
    ///
    /// # Errors
    /// As [`Domain::new`], [`Form::space`] and [`Problem::space`].
    pub fn problem(
        &self,
        cells: [usize; 2],
        steps: usize,
        form: Form,
        beta: f64,
    ) -> Result<Problem> {
        let domain = Domain::new(&cells, steps)?;
        let map = self.map(&domain)?;
        let bins = Self::bins(&map)?;
        self.ends(&domain)?.space(form.space(map, bins)?, beta)
    }

    /// The bins of heights, 32 of the unit interval, where a form asks for some; `None` for maps of
    /// more dimensions, which have the usual ones.
    ///
    /// # Errors
    /// None: the bins are fixed.
    pub fn bins(map: &Map) -> Result<Option<Bins>> {
        match map.dimension() {
            1 => Bins::new(&[32], &[0.0], &[1.0]).map(Some),
            _ => Ok(None),
        }
    }

    /// Its densities, without another space.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn ends(&self, domain: &Domain) -> Result<Problem> {
        let [start, end] = [self.from, self.to]
            .map(|centre| domain.density(|x| bump(x[0] - centre[0], x[1] - centre[1], self.width)));
        Problem::new(domain, start.view(), end.view())
    }

    /// Its map into the other space.
    ///
    /// # Errors
    /// As [`Map::from_fn`].
    pub fn map(&self, domain: &Domain) -> Result<Map> {
        Map::from_fn(domain, |x| (self.map)(x[0], x[1]))
    }
}

fn swell(x: f64, y: f64) -> f64 {
    (PI * x).sin() * (PI * y).sin()
}

fn bump(x: f64, y: f64, width: f64) -> f64 {
    (-(x * x + y * y) / (2.0 * width * width)).exp()
}

/// A point of the colour space: a brightness, tinted, and bluer to the right.
fn colour(x: f64, brightness: f64) -> Vec<f64> {
    vec![brightness, 0.85 * brightness, 0.6 * brightness + 0.15 * x]
}
