//! Table 5: how networks are trained, and figure 11: what they look like.

use gaspard::Result;
use gaspard::flat::neural::{Layers, Rate, Training};
use gaspard::report::curves::Chart;
use ndarray::Array1;

use crate::common::{Context, Sheet, Size, deviation, head, mean, percent};
use crate::data::{random, spheres};
use crate::methods::{self, Setup};
use crate::pair::{Pair, normalised};

/// Of table 5; the paper's own are lost.
const DIMENSION: usize = 2;
const RADIUS: f64 = 1.8;
/// The paper's error as it trains by default, and how far off it ours may be, as in table 1.
const DEFAULT: f64 = -0.077;
const BAND: f64 = 0.03;

pub fn run(context: &Context, sheet: &mut Sheet) -> Result<()> {
    table_5(context, sheet)?;
    figure_11(context, sheet)
}

/// Settings of one kind, and the errors that the paper has for its own ones.
struct Kind {
    name: &'static str,
    paper: &'static str,
    settings: Vec<(String, Training)>,
}

fn kinds(default: &Training) -> Vec<Kind> {
    let rate = |rate: f64| (rate.to_string(), default.clone().rate(rate));
    let steps = |name, paper, after: [usize; 2]| {
        let setting = |factor: f64| {
            let decay = Rate::Steps { factor, after: after.to_vec() };
            (factor.to_string(), default.clone().decay(decay))
        };
        Kind { name, paper, settings: [0.5, 0.8, 0.95].map(setting).to_vec() }
    };
    let exponential =
        |factor: f64| (factor.to_string(), default.clone().decay(Rate::Exponential { factor }));
    let betas = |first: f64, second: f64| {
        (format!("{first}, {second}"), default.clone().betas(first, second))
    };
    let weights = |decay: f64| (decay.to_string(), default.clone().weight_decay(decay));
    vec![
        Kind { name: "default", paper: "-.077", settings: vec![(String::new(), default.clone())] },
        Kind {
            name: "learning rate",
            paper: "-.071 -.078 -.077 -.078",
            settings: [0.001, 0.003, 0.02, 0.05].map(rate).to_vec(),
        },
        steps("factor at epochs 32, 64", "-.078 -.079 -.080", [32, 64]),
        steps("factor at 200, 400", "-.077 -.077 -.077", [200, 400]),
        steps("factor at 1000, 2000", "-.080 -.079 -.078", [1000, 2000]),
        Kind {
            name: "factor at every epoch",
            paper: "-.045 -.038 -.080 +.270",
            settings: [0.9999, 0.999, 0.99, 0.95].map(exponential).to_vec(),
        },
        Kind {
            name: "Adam's betas",
            paper: "-.078 -.078 -.077 -.077",
            settings: vec![
                betas(0.8, 0.999),
                betas(0.95, 0.999),
                betas(0.9, 0.99),
                betas(0.9, 0.9999),
            ],
        },
        Kind {
            name: "weight decay",
            paper: "-.077 -.096 -.073 -.076",
            settings: [1e-6, 1e-5, 1e-4, 1e-3].map(weights).to_vec(),
        },
    ]
}

fn table_5(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let (count, draws) = context.size.pick((8, 1), (64, 4), (128, 10));
    let mut random = random(context.seed, 0);
    let pair = |_| {
        let sphere = spheres::at_radii(&mut random, DIMENSION, &vec![RADIUS; count])?;
        Pair::dirac(count as f64, Array1::zeros(DIMENSION), sphere)
    };
    let pairs: Vec<Pair> = (0..draws).map(pair).collect::<Result<_>>()?;
    let mut kinds = kinds(&Setup::new(context.size).paper);
    if context.size == Size::Tiny {
        kinds.iter_mut().for_each(|kind| kind.settings.truncate(1));
    }
    let mut rows = Vec::new();
    let mut default = 0.0;
    for kind in kinds {
        for (k, (setting, training)) in kind.settings.iter().enumerate() {
            let errors = errors(&pairs, training, context)?;
            let error = mean(&errors);
            if rows.is_empty() {
                default = error;
            }
            let [name, paper] = if k == 0 { [kind.name, kind.paper] } else { [""; 2] };
            let ours = format!("{error:+.3} ±{:.3}", deviation(&errors));
            rows.push([name, setting, &ours, paper].map(str::to_owned).to_vec());
        }
    }
    let titles = ["", "setting", "ours", "the paper, for settings of its own"].map(str::to_owned);
    let title = format!("table 5: relative errors, d = {DIMENSION}, radius {RADIUS}, equal masses");
    sheet.table(&title, &titles, &rows);
    sheet.check("table 5: default", default, DEFAULT - BAND..=DEFAULT + BAND);
    Ok(())
}

fn errors(pairs: &[Pair], training: &Training, context: &Context) -> Result<Vec<f64>> {
    let trained = methods::train(pairs, training, context)?;
    let values = trained.iter().map(|trained| normalised(&trained.distance));
    Ok(methods::errors(&values.collect::<Result<Vec<_>>>()?, pairs))
}

/// Widths, units that are sorted together, and what keeps layers from stretching.
fn networks(size: Size) -> Vec<(String, Training)> {
    let bjorck = Layers::Bjorck { iterations: 20 };
    let network = |name: &str, hidden: &[usize], group, layers| {
        let training = Setup::new(size).paper.hidden(hidden).group(Some(group)).layers(layers);
        (name.to_owned(), training)
    };
    match size {
        Size::Full => vec![
            network("spectral, 128 x 2, groups of 2", &[128; 2], 2, Layers::Spectral),
            network("Björck, 128 x 2, groups of 2", &[128; 2], 2, bjorck),
            network("spectral, 128 x 5, groups of 2", &[128; 5], 2, Layers::Spectral),
            network("spectral, 512 x 2, groups of 8", &[512; 2], 8, Layers::Spectral),
            network("Björck, 128 x 5, groups of 2", &[128; 5], 2, bjorck),
            network("Björck, 512 x 2, groups of 8", &[512; 2], 8, bjorck),
        ],
        _ => vec![
            network("spectral, 32 x 2, groups of 2", &[32; 2], 2, Layers::Spectral),
            network("Björck, 32 x 2, groups of 2", &[32; 2], 2, bjorck),
            network("spectral, 32 x 5, groups of 2", &[32; 5], 2, Layers::Spectral),
            network("spectral, 64 x 2, groups of 8", &[64; 2], 8, Layers::Spectral),
        ],
    }
}

fn figure_11(context: &Context, sheet: &mut Sheet) -> Result<()> {
    let radii: Vec<f64> = match context.size {
        Size::Tiny => vec![1.0],
        Size::Small => vec![0.31, 0.91, 1.51, 2.11, 3.0, 8.0],
        Size::Full => {
            let far = (3..=12).map(f64::from);
            (0..10).map(|k| 0.01 + 0.3 * f64::from(k)).chain(far).collect()
        }
    };
    // In four dimensions, 160 units of mass against 800 points.
    let (dimension, ratio) = (4, 5.0);
    let count = context.size.pick(8, 64, 512);
    let mut random = random(context.seed, 1);
    let pair = |radius: &f64| {
        let sphere = spheres::at_radii(&mut random, dimension, &vec![*radius; count])?;
        Pair::dirac(count as f64 / ratio, Array1::zeros(dimension), sphere)
    };
    let pairs: Vec<Pair> = radii.iter().map(pair).collect::<Result<_>>()?;
    let at = |values: Vec<f64>| radii.iter().copied().zip(values);
    let mut chart = Chart::new("radius", "relative error").title("Networks, dimension 4");
    let mut rows = Vec::new();
    for (name, training) in networks(context.size) {
        let errors = errors(&pairs, &training, context)?;
        rows.push(head(&name, errors.iter().map(|error| percent(*error))));
        chart = chart.curve(name, at(errors));
    }
    let title = "figure 11: relative errors in % over the radius, d = 4, mass ratio 5";
    sheet.table(title, &head("", &radii), &rows);
    sheet.chart("fig11", &chart)
}
