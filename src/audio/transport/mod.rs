//! Separation of spectrograms and estimation of delays, jointly, by optimal transport.
//!
//! L >= 2 microphones hear K sources, each later or earlier than at the first microphone. What one
//! microphone heard is moved to what another heard, along time and frequency by frequency; the lags
//! that a source's share goes over should be near its delay:
//!
//! ```text
//! min  sum_l sum_k sum_f <C(tau_kl), M_kfl>,   C(tau)_ij = ((j - i) - tau)²,
//!      M_kfl 1 = s_kf1 for all l,  M_kfl^T 1 = s_kfl,  sum_k s_kfl = r_fl
//! ```
//!
//! over plans M, spectrograms s of the sources and delays tau, in turns: plans for given delays, then
//! delays, which are mean lags (Fabiani, Schlecht, Haasler and Elvander, "Joint spectrogram separation
//! and TDOA estimation using optimal transport"). [`Separation::paper`] is this problem.
//! [`Separation::robust`], which is also where [`Separation::new`] starts, has one more source, of what
//! is not worth moving: noise is not drawn along, and does not draw the delays away.

mod band;
mod correlation;
mod descent;
mod entropic;
mod exact;
mod landscape;
mod masks;
mod options;
mod planner;
mod scene;
mod score;
mod seeds;
mod separation;
mod solution;
mod solve;

pub use options::{Plan, Start, Weights};
pub use separation::Separation;
pub use solution::{Noise, Seed, Solution, TracePoint};
