//! `--method` and what belongs to it.

use clap::ValueEnum;
use gaspard::flat::neural::Training;
use gaspard::flat::{Method, Sinkhorn};
use gaspard::{Engine, Error, Result};
use serde::Serialize;

use crate::cli::options::Common;
use crate::cli::session::Session;

/// How a distance is computed, and how well.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct MethodArguments {
    /// How distances are computed
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    method: MethodOption,
    /// Epochs of tight and paper: steps over all points [default: 1500 and 3000]
    #[arg(long, value_name = "NUMBER")]
    epochs: Option<usize>,
    /// The first learning rate of tight and paper [default: 0.01]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Units of the hidden layers of tight and paper [default: 64,64]
    #[arg(long, value_name = "UNITS,...", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// The entropic strength that sinkhorn anneals to, a distance; it is halved while bounds are too
    /// far apart [default: 0.01]
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    epsilon: Option<f64>,
}

/// `--method`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MethodOption {
    /// The quickest for this many points that is good to 1 %
    Auto,
    /// Network simplex on the CPU, in f64
    Exact,
    /// Entropic transport, between two bounds that differ by 1 % (see --tolerance)
    Sinkhorn,
    /// A network for each pair, whose value is a lower bound
    Tight,
    /// A network for each pair, as published: neither bound
    Paper,
}

/// A method that was settled on, and what it is called.
pub(super) struct Chosen {
    pub method: Method,
    pub name: &'static str,
}

impl MethodArguments {
    /// The method for pairs of at most so many points; where none is asked for, the one that is
    /// `known` to have begun.
    pub(super) fn choose(
        &self,
        known: Option<&str>,
        points: (usize, usize),
        common: &Common,
        engine: &Engine,
    ) -> Result<Chosen> {
        let begun = known.filter(|_| self.is_auto());
        let begun = begun.and_then(|name| MethodOption::from_str(name, false).ok());
        let asked = begun.unwrap_or(self.method);
        let method = match asked {
            MethodOption::Auto => Method::auto(points, engine)?,
            MethodOption::Exact => Method::Exact,
            MethodOption::Sinkhorn => Method::Sinkhorn(Sinkhorn::new()),
            MethodOption::Tight => Method::Neural(Training::tight()),
            MethodOption::Paper => Method::Neural(Training::paper()),
        };
        let name = match &method {
            Method::Exact => "exact",
            Method::Sinkhorn(_) => "sinkhorn",
            Method::Neural(_) if asked == MethodOption::Paper => "paper",
            Method::Neural(_) => "tight",
        };
        self.check_fits(&method, name, common)?;
        let method = match method {
            Method::Exact => Method::Exact,
            Method::Sinkhorn(sinkhorn) => Method::Sinkhorn(self.sinkhorn(sinkhorn, common)),
            Method::Neural(training) => Method::Neural(self.training(training, common)?),
        };
        Ok(Chosen { method, name })
    }

    /// True for `--method auto`.
    fn is_auto(&self) -> bool {
        self.method == MethodOption::Auto
    }

    /// True where networks are trained, or may be.
    pub(super) fn is_neural(&self) -> bool {
        matches!(self.method, MethodOption::Tight | MethodOption::Paper)
    }

    /// The engine that the method runs on: the simplex needs no device.
    pub(super) fn open_engine(&self, session: &Session<'_>) -> Result<Engine> {
        if self.method == MethodOption::Exact { Ok(session.host()) } else { session.open_device() }
    }

    /// Refuses options that the method that was named has no use for.
    fn check_fits(&self, method: &Method, name: &str, common: &Common) -> Result<()> {
        if self.is_auto() {
            return Ok(());
        }
        let neural = matches!(method, Method::Neural(_));
        let sinkhorn = matches!(method, Method::Sinkhorn(_));
        let odd = [
            ("--epochs", self.epochs.is_some() && !neural),
            ("--rate", self.rate.is_some() && !neural),
            ("--hidden", self.hidden.is_some() && !neural),
            ("--epsilon", self.epsilon.is_some() && !sinkhorn),
            ("--tolerance", common.tolerance.is_some() && !sinkhorn),
            ("--max-iterations", common.max_iterations.is_some() && !sinkhorn),
        ];
        match odd.into_iter().find(|(_, is_odd)| *is_odd) {
            None => Ok(()),
            Some((option, _)) => {
                let problem = format!("--method {name} has no use for it");
                Err(Error::parameter(option, problem, "leave it out, or name another method"))
            }
        }
    }

    fn sinkhorn(&self, sinkhorn: Sinkhorn, common: &Common) -> Sinkhorn {
        let sinkhorn = self.epsilon.map_or(sinkhorn, |epsilon| sinkhorn.epsilon(epsilon));
        let sinkhorn = common.tolerance.map_or(sinkhorn, |tolerance| sinkhorn.tolerance(tolerance));
        common.iterations().map_or(sinkhorn, |most| sinkhorn.max_iterations(most))
    }

    fn training(&self, training: Training, common: &Common) -> Result<Training> {
        let mut training = training.seed(common.seed);
        if let Some(epochs) = self.epochs {
            training = training.epochs(epochs);
        }
        if let Some(rate) = self.rate {
            training = training.rate(rate);
        }
        if let Some(hidden) = &self.hidden {
            training = training.hidden(hidden.clone());
        }
        training.validate()?;
        Ok(training)
    }
}
