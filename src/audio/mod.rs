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
//! | separate sources | [`Separator`] |
//! | find delays | [`transport`], [`baselines`] |
//! | get sources from masks and delays | [`Reconstruction`], [`spectrogram::sources`] |
//! | measure how good they are | [`metrics`] |
//!
//! ```
//! use gaspard::audio::{DelaySearch, Simulation, Speaker, Voice, baselines, metrics};
//! use ndarray::array;
//! let speakers = [Speaker::new(Voice::Low), Speaker::new(Voice::High)];
//! let sources = speakers.map(|speaker| speaker.speak(8000, 12_000));
//! let scene = Simulation::new(8000, sources)?
//!     .delays(array![[0.0, 700.0], [0.0, -412.5]])
//!     .snr(20.0)
//!     .run()?;
//!
//! let delays = baselines::gcc_phat(&scene.mixture, &DelaySearch::new(2, 8000))?;
//! let error = metrics::delay_error(scene.delays.view(), delays.view(), 8000, 200)?;
//! assert!(error.samples < 0.5);
//!
//! let sources = baselines::delay_and_sum(&scene.mixture, delays.view())?;
//! let mixture = scene.mixture.channel(0);
//! let gain = metrics::sdr_improvement(scene.images.view(), sources.view(), mixture)?;
//! assert!(gain.value > 2.0);
//! # Ok::<(), gaspard::Error>(())
//! ```

pub mod baselines;
mod complex;
mod correlation;
mod delays;
pub mod metrics;
pub mod noise;
mod permutation;
mod reconstruct;
mod recording;
mod refine;
mod resample;
pub mod separate;
mod signal;
mod simulate;
pub mod spectrogram;
mod speech;
mod stft;
pub mod transport;

pub use delays::DelaySearch;
pub use reconstruct::Reconstruction;
pub use recording::{Recording, Remark};
pub use refine::refine_delays;
pub use separate::Separator;
pub use signal::delayed;
pub use simulate::{Scene, Simulation};
pub use speech::{Speaker, Voice};
pub use stft::Stft;
