//! How spectrograms are separated, and what is allowed.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::linear::Law;
use crate::validate::{at_least_one, from_zero, positive};

/// Where the descent of the delays starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// The best `top` sets of lags of a grid with this step, in frames (2 if the largest lag is more
    /// than 6, else 1): all pairs for two sources, grown from the best pairs for more. With more than
    /// two microphones, sets of the pairs of microphones are matched to one another.
    Grid {
        /// Frames between lags.
        step: Option<f64>,
        /// Sets that the descent starts from.
        top: usize,
    },
    /// Delays drawn evenly between plus and minus the largest lag.
    Random {
        /// How many times.
        starts: usize,
        /// Of the generator.
        seed: u64,
    },
    /// The highest peaks of the cross-correlation of magnitudes without their means over time.
    SpectroCorrelation,
    /// These, each (sources, microphones) in frames with zeros for the first microphone.
    Given(Vec<Array2<f64>>),
}

impl Default for Start {
    fn default() -> Self {
        Self::Grid { step: None, top: 5 }
    }
}

/// How much a frequency counts, by its mass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// In proportion to it.
    #[default]
    Mass,
    /// In proportion to its square root.
    Sqrt,
    /// All the same, but for silence.
    Flat,
}

/// How plans are found for given delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plan {
    /// By Sinkhorn's iteration, on the engine.
    #[default]
    Entropic,
    /// By the network simplex, on the CPU: for two microphones and fixed marginals.
    Exact,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub epsilons: Vec<f64>,
    pub outlier: Option<f64>,
    /// The outlier's cost for the masks; `None`: [`MASK_OUTLIER`] times that of the delays.
    pub mask_outlier: Option<Option<f64>>,
    pub relaxation: Law,
    pub start: Start,
    pub max_lag: f64,
    pub weights: Weights,
    pub power: f64,
    pub plan: Plan,
    pub inner_iterations: usize,
    pub max_iterations: usize,
    pub tolerance: f64,
    pub mask_iterations: usize,
}

/// What leaves less to the outlier source in the masks than while delays are found.
const MASK_OUTLIER: f64 = 2.25;

impl Default for Options {
    fn default() -> Self {
        Self {
            epsilons: vec![4.0, 1.0, 0.5],
            outlier: Some(4.0),
            mask_outlier: None,
            relaxation: Law::Fixed,
            start: Start::default(),
            max_lag: 12.0,
            weights: Weights::Mass,
            power: 1.0,
            plan: Plan::Entropic,
            inner_iterations: 30,
            max_iterations: 12,
            tolerance: 1e-3,
            mask_iterations: 150,
        }
    }
}

impl Options {
    /// What the outlier source costs while masks are made.
    pub(super) fn outlier_of_masks(&self) -> Option<f64> {
        self.mask_outlier.unwrap_or(self.outlier.map(|cost| MASK_OUTLIER * cost))
    }

    /// No delay is further from zero.
    pub(super) fn largest_lag(&self, frames: usize) -> f64 {
        self.max_lag.min(frames as f64 - 1.0)
    }

    pub(super) fn validate(&self, sources: usize, microphones: usize, frames: usize) -> Result<()> {
        if self.epsilons.is_empty() {
            let remedy = "give at least one, in squared frames, such as 0.5";
            return Err(Error::parameter("epsilons", "there are none", remedy));
        }
        for &epsilon in &self.epsilons {
            positive("epsilons", epsilon, "give squared frames, such as 4, 1, 0.5")?;
        }
        for cost in [self.outlier, self.outlier_of_masks()].into_iter().flatten() {
            positive("outlier", cost, "give squared frames, such as 4, or none")?;
        }
        positive("max-lag", self.max_lag, "give frames, such as 12")?;
        positive("power", self.power, "1 is for power, 0.5 for magnitude spectrograms")?;
        match self.relaxation {
            Law::Fixed => {}
            Law::Kl { rho } | Law::Tv { rho } => {
                positive("relaxation", rho, "give its strength in squared frames")?;
            }
            Law::Range { .. } | Law::Free => {
                let problem = format!("{} says too little of a spectrogram", self.relaxation);
                return Err(Error::parameter("relaxation", problem, "use fixed, KL or TV"));
            }
        }
        at_least_one("inner-iterations", self.inner_iterations)?;
        at_least_one("max-iterations", self.max_iterations)?;
        from_zero(
            "tolerance",
            self.tolerance,
            "give the frames that delays move by, such as 0.001",
        )?;
        at_least_one("mask-iterations", self.mask_iterations)?;
        if self.plan == Plan::Exact {
            self.validate_exact(microphones)?;
        }
        self.validate_start(sources, microphones, frames)
    }

    fn validate_exact(&self, microphones: usize) -> Result<()> {
        if microphones > 2 {
            let problem = format!("exact plans are between 2 microphones, not {microphones}");
            return Err(Error::parameter("plan", problem, "use entropic plans"));
        }
        if self.relaxation != Law::Fixed {
            let problem =
                format!("exact plans keep their marginals; there is no {}", self.relaxation);
            return Err(Error::parameter(
                "plan",
                problem,
                "use entropic plans, or an outlier source",
            ));
        }
        Ok(())
    }

    fn validate_start(&self, sources: usize, microphones: usize, frames: usize) -> Result<()> {
        match &self.start {
            Start::Grid { step, top } => {
                if let Some(step) = step
                    && !(*step > 0.0 && step.is_finite())
                {
                    let problem = format!("a step of {step} frames leads nowhere");
                    return Err(Error::parameter("start", problem, "give 1 or 2"));
                }
                let lags = self.grid(frames).len();
                if *top == 0 || lags < sources {
                    let problem = format!("there are no {top} sets of {sources} of {lags} lags");
                    return Err(Error::parameter("start", problem, "use a larger max_lag or top"));
                }
            }
            Start::Random { starts, .. } => {
                if *starts == 0 {
                    return Err(Error::parameter("start", "there is none", "give at least one"));
                }
            }
            Start::SpectroCorrelation => {}
            Start::Given(all) => {
                if all.is_empty() {
                    return Err(Error::parameter("start", "there is none", "give at least one"));
                }
                for delays in all {
                    self.validate_delays("start", delays, sources, microphones)?;
                }
            }
        }
        const MOST: usize = 6;
        let matched = matches!(self.start, Start::Grid { .. } | Start::SpectroCorrelation);
        if matched && microphones > 2 && sources > MOST {
            let problem = format!("{sources} sources have too many orders at several microphones");
            return Err(Error::parameter("start", problem, "use random or given starts"));
        }
        Ok(())
    }

    /// Refuses delays that are none.
    pub(super) fn validate_delays(
        &self,
        name: &str,
        delays: &Array2<f64>,
        sources: usize,
        microphones: usize,
    ) -> Result<()> {
        if delays.dim() != (sources, microphones) {
            let expected = format!("{sources} x {microphones}, a row for each source");
            let found = format!("{} x {}", delays.nrows(), delays.ncols());
            return Err(Error::shape(format!("delays ({name})"), expected, found));
        }
        if let Some(delay) = delays.iter().find(|delay| !delay.is_finite()) {
            return Err(Error::data(name, format!("a delay is {delay}"), "give frames"));
        }
        if delays.column(0).iter().any(|delay| *delay != 0.0) {
            let problem = "a delay at the first microphone is not 0";
            return Err(Error::data(name, problem, "delays are relative to that microphone"));
        }
        Ok(())
    }

    /// The lags that sets are made of.
    pub(super) fn grid(&self, frames: usize) -> Vec<f64> {
        let step = match self.start {
            Start::Grid { step: Some(step), .. } => step,
            _ if self.max_lag > 6.0 => 2.0,
            _ => 1.0,
        };
        let count = (self.largest_lag(frames) / step).floor() as i32;
        (-count..=count).map(|place| f64::from(place) * step).collect()
    }
}
