//! Sound: sources from what several microphones record of them, and how much later each source
//! reaches one microphone than another.
//!
//! ```text
//! R_l(f, t) = sum_k S_k(f, t - tau_k^(l)) + W_l(f, t),     tau_k^(1) = 0
//! ```
//!
//! R_l is the short-time Fourier transform ([`Stft`]) of microphone l, S_k that of source k as it
//! arrives at microphone 1, W_l noise. **A delay is positive where the source reaches microphone l
//! later than microphone 1.**
//!
//! Arrays: recordings are (microphone, sample), transforms and spectrograms (frequency, time),
//! several of them (source or microphone, frequency, time), delays (source, microphone) with zeros
//! in the first column.
//!
//! | to | use |
//! |---|---|
//! | read and write files | [`io::wav`](crate::io::wav), [`Recording`] |
//! | make scenes whose truth is known | [`Simulation`], [`Speaker`] |
//! | find delays | [`baselines`] |
//! | get sources from masks and delays | [`Reconstruction`], [`spectrogram::sources`] |
//! | measure how good they are | [`metrics`] |

pub mod baselines;
mod complex;
pub mod delays;
pub mod metrics;
pub mod noise;
mod permutation;
mod reconstruct;
mod recording;
pub mod refine;
mod resample;
pub mod signal;
mod simulate;
pub mod spectrogram;
mod speech;
mod stft;

pub use delays::DelaySearch;
pub use reconstruct::Reconstruction;
pub use recording::{Recording, Remark};
pub use simulate::{Scene, Simulation};
pub use speech::{Speaker, Voice};
pub use stft::Stft;
