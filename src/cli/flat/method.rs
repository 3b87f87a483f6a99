//! `--method` and what belongs to it.

use clap::ValueEnum;
use gaspard::flat::neural::Training;
use gaspard::flat::{Method, Sinkhorn};
use gaspard::{Engine, Result};
use serde::Serialize;

use crate::cli::given::Given;
use crate::cli::options::{Common, Iterating};
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
    #[arg(long, alias = "reg", value_name = "DISTANCE", allow_negative_numbers = true)]
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
        iterating: &Iterating,
        seed: u64,
        engine: &Engine,
    ) -> Result<Chosen> {
        let begun = known.filter(|_| self.method == MethodOption::Auto);
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
        let method = match method {
            Method::Exact => Method::Exact,
            Method::Sinkhorn(_) => Method::Sinkhorn(self.sinkhorn(iterating)),
            Method::Neural(training) => Method::Neural(self.training(training, seed)?),
        };
        Ok(Chosen { method, name })
    }

    /// True where networks are trained, or may be.
    pub(super) fn is_neural(&self) -> bool {
        matches!(self.method, MethodOption::Tight | MethodOption::Paper)
    }

    /// The engine that the method runs on: the simplex needs no device.
    pub(super) fn open_engine(&self, session: &Session<'_>) -> Result<Engine> {
        if self.method == MethodOption::Exact { Ok(session.host()) } else { session.open_device() }
    }

    /// Refuses options that the method has no use for, and numbers outside their domain.
    pub(super) fn check(
        &self,
        iterating: &Iterating,
        common: &Common,
        given: &Given,
    ) -> Result<()> {
        const NEURAL: [&str; 3] = ["epochs", "rate", "hidden"];
        const SINKHORN: [&str; 2] = ["max-iterations", "tolerance"];
        let name = match self.method {
            MethodOption::Auto => "--method auto",
            MethodOption::Exact => "--method exact",
            MethodOption::Sinkhorn => "--method sinkhorn",
            MethodOption::Tight => "--method tight",
            MethodOption::Paper => "--method paper",
        };
        let remedy = "leave it out, or name another method";
        // Exact distances are within any tolerance, so that auto can be given one.
        let odd = match self.method {
            MethodOption::Auto => [&NEURAL[..], &["epsilon"]].concat(),
            MethodOption::Exact => [&NEURAL[..], &["epsilon", "profile"], &SINKHORN].concat(),
            MethodOption::Sinkhorn => NEURAL.to_vec(),
            MethodOption::Tight | MethodOption::Paper => [&["epsilon"][..], &SINKHORN].concat(),
        };
        given.refuse_unless(&odd, name, remedy)?;
        if self.method == MethodOption::Exact {
            common.device.expect_cpu(name);
        }
        self.sinkhorn(iterating).validate()
    }

    fn sinkhorn(&self, iterating: &Iterating) -> Sinkhorn {
        let sinkhorn = Sinkhorn::new();
        let sinkhorn = self.epsilon.map_or(sinkhorn, |epsilon| sinkhorn.epsilon(epsilon));
        let sinkhorn =
            iterating.tolerance.map_or(sinkhorn, |tolerance| sinkhorn.tolerance(tolerance));
        iterating.iterations().map_or(sinkhorn, |most| sinkhorn.max_iterations(most))
    }

    fn training(&self, training: Training, seed: u64) -> Result<Training> {
        let mut training = training.seed(seed);
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
