//! Recordings, files, transforms and delays against sums and formulas that share no code with them.

use std::f64::consts::TAU;

use gaspard::Error;
use gaspard::audio::{Recording, Remark, Stft, delayed, spectrogram};
use ndarray::{Array1, Array2, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustfft::num_complex::Complex64;

fn noise(seed: u64, samples: usize) -> Array1<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array1::from_shape_simple_fn(samples, || random.random_range(-1.0..1.0))
}

fn largest(difference: &Array1<f64>) -> f64 {
    difference.iter().fold(0.0, |most, x| most.max(x.abs()))
}

#[test]
fn shapes_at_the_setting_of_the_paper() {
    let stft = Stft::at_rate(8000).unwrap();
    assert_eq!((stft.window(), stft.hop(), stft.fft()), (256, 200, 256));
    assert_eq!(stft.forward(noise(0, 16_000).view()).dim(), (129, 81));
    assert!((stft.noise_gain() - 96.0).abs() < 1e-9);
    let half = Stft::at_rate(16_000).unwrap();
    assert_eq!((half.window(), half.hop(), half.fft()), (512, 400, 512));
}

#[test]
fn transforms_against_the_sum_that_defines_them() {
    for (window, hop, fft, samples) in
        [(16, 10, 16, 103), (16, 4, 20, 57), (8, 7, 9, 31), (6, 5, 7, 1)]
    {
        let stft = Stft::new(window, hop, fft).unwrap();
        let signal = noise(1, samples);
        let transform = stft.forward(signal.view());
        assert_eq!(transform.dim(), (fft / 2 + 1, stft.frames(samples)));
        for ((f, t), value) in transform.indexed_iter() {
            let mut sum = Complex64::ZERO;
            for n in 0..window {
                let at = (hop * t + n) as i64 - (window / 2) as i64;
                let weight = 0.5 - 0.5 * (TAU * n as f64 / window as f64).cos();
                let sample = usize::try_from(at).ok().and_then(|at| signal.get(at));
                let phase = -TAU * (f * n) as f64 / fft as f64;
                sum += Complex64::from_polar(weight * sample.copied().unwrap_or(0.0), phase);
            }
            assert!((value - sum).norm() < 1e-12, "{window} {hop} {f} {t}: {value} {sum}");
        }
    }
}

#[test]
fn signals_come_back_whatever_the_hop_and_the_length() {
    for hop in [64, 200, 255] {
        let stft = Stft::new(256, hop, 256).unwrap();
        for samples in [1, 199, 255, 256, 12_345, 15_999, 16_000] {
            let signal = noise(2, samples);
            let back = stft.inverse(stft.forward(signal.view()).view(), samples).unwrap();
            let error = largest(&(&back - &signal));
            assert!(error < 1e-9, "hop {hop}, {samples} samples: {error}");
        }
    }
}

/// The inverse is the signal whose transform is nearest: moving it any way is no nearer.
#[test]
fn the_inverse_is_nearest_in_squares() {
    let stft = Stft::new(16, 6, 16).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let transform = Array2::from_shape_simple_fn((9, stft.frames(60)), || {
        Complex64::new(random.random_range(-1.0..1.0), random.random_range(-1.0..1.0))
    });
    // Coefficients between the first and the last stand for two of the full transform.
    let distance = |signal: &Array1<f64>| -> f64 {
        let difference = stft.forward(signal.view()) - &transform;
        let weighed = difference.indexed_iter().map(|((f, _), value)| {
            if f == 0 || f == 8 { value.re * value.re } else { 2.0 * value.norm_sqr() }
        });
        weighed.sum()
    };
    let found = stft.inverse(transform.view(), 60).unwrap();
    let best = distance(&found);
    for n in 0..60 {
        for step in [-1e-3, 1e-3] {
            let mut moved = found.clone();
            moved[n] += step;
            assert!(distance(&moved) >= best, "{n}");
        }
    }
}

/// What comes a hop later is in the next frame; delays by the hop move spectrograms by frames.
#[test]
fn delays_by_the_hop_are_delays_by_frames() {
    let stft = Stft::new(32, 20, 32).unwrap();
    let mut signal = noise(7, 400);
    signal.slice_mut(ndarray::s![300..]).fill(0.0);
    let here = stft.forward(signal.view());
    let later = stft.forward(delayed(signal.view(), 60.0).view());
    for t in 1..here.ncols() - 3 {
        let off = &here.column(t) - &later.column(t + 3);
        assert!(off.iter().all(|x| x.norm() < 1e-12), "{t}");
    }
}

#[test]
fn white_noise_has_the_level_that_is_promised() {
    let stft = Stft::new(256, 200, 256).unwrap();
    // Uniform on [-1, 1]: a variance of 1/3.
    let power = spectrogram::power(&stft.forward(noise(4, 200_000).view()));
    let inside = 1..power.ncols() - 1;
    let mean = power.slice(ndarray::s![1..128, inside]).mean().unwrap();
    assert!((mean - 32.0).abs() < 0.5, "{mean}");
}

#[test]
fn transforms_that_make_no_sense_are_refused() {
    for (window, hop, fft) in
        [(255, 100, 256), (2, 1, 2), (256, 0, 256), (256, 256, 256), (256, 64, 255)]
    {
        assert!(matches!(Stft::new(window, hop, fft), Err(Error::Parameter { .. })));
    }
    assert!(Stft::at_rate(10).is_err());
    let stft = Stft::new(16, 4, 16).unwrap();
    let transform = stft.forward(noise(5, 100).view());
    assert!(matches!(stft.inverse(transform.view(), 50), Err(Error::Shape { .. })));
}

#[test]
fn delays_of_a_band_limited_signal() {
    // Tones under a bell, so that nothing is left at either end.
    let at = |n: f64| {
        let bell = (-(n - 500.0) * (n - 500.0) / 5000.0).exp();
        bell * ((0.3 * n).sin() + (1.1 * n + 0.5).cos())
    };
    let signal = Array1::from_shape_fn(1000, |n| at(n as f64));
    for delay in [0.0, 0.25, -0.5, 37.4, -81.9, 200.0, -300.0] {
        let expected = Array1::from_shape_fn(1000, |n| at(n as f64 - delay));
        let error = largest(&(delayed(signal.view(), delay) - expected));
        assert!(error < 1e-9, "{delay}: {error}");
    }
    assert_eq!(largest(&delayed(signal.view(), 5000.25)), 0.0);
    assert_eq!(largest(&delayed(signal.view(), -1e18)), 0.0);
}

/// There and back is the identity for every signal, up to what is cut off and what lies at half the
/// rate.
#[test]
fn delays_have_inverses() {
    let mut signal = noise(6, 600);
    signal.slice_mut(ndarray::s![..150]).fill(0.0);
    signal.slice_mut(ndarray::s![450..]).fill(0.0);
    let back = delayed(delayed(signal.view(), 20.3).view(), -20.3);
    let error = (&back - &signal).mapv(|x| x * x).sum() / signal.mapv(|x| x * x).sum();
    assert!(error < 1e-2, "{error}");
}

#[test]
fn recordings_are_checked() {
    let refused = |channels: Array2<f64>| Recording::new("r", 8000, channels).unwrap_err();
    let error = refused(array![[0.0, 1.0], [f64::NAN, 0.0]]);
    assert!(error.to_string().contains("sample 0 of microphone 2 is NaN"), "{error}");
    assert!(matches!(refused(array![[f64::INFINITY]]), Error::Data { .. }));
    assert!(matches!(refused(Array2::zeros((2, 0))), Error::Data { .. }));
    assert!(matches!(refused(Array2::zeros((0, 5))), Error::Data { .. }));
    assert!(matches!(refused(array![[1e200]]), Error::Data { .. }));
    assert!(matches!(Recording::new("r", 0, array![[1.0]]), Err(Error::Parameter { .. })));
}

#[test]
fn odd_microphones_are_remarked_on() {
    let mut channels = Array2::zeros((5, 100));
    for n in 0..100 {
        let tone = (n as f64 * 0.3).sin();
        channels[[1, n]] = tone;
        channels[[2, n]] = 3.0 + tone;
        channels[[3, n]] = tone.clamp(-0.5, 0.5);
        channels[[4, n]] = 0.25;
    }
    let remarks = Recording::new("r", 8000, channels).unwrap().remarks();
    assert_eq!(remarks.len(), 4, "{remarks:?}");
    assert_eq!(remarks[0], Remark::Silent { microphone: 1 });
    assert!(
        matches!(remarks[1], Remark::Offset { microphone: 3, mean } if (mean - 3.0).abs() < 0.1)
    );
    assert!(matches!(remarks[2], Remark::Clipped { microphone: 4, samples } if samples > 50));
    assert_eq!(remarks[3], Remark::Offset { microphone: 5, mean: 0.25 });
    assert!(remarks[2].to_string().contains("microphone 4 is clipped"));
}

#[test]
fn resampling_keeps_tones_and_delays() {
    let tone = |rate: u32, delay: f64| {
        move |n: usize| (TAU * 440.0 * (n as f64 / f64::from(rate) - delay)).sin()
    };
    for (from, to) in [(16_000, 8000), (44_100, 48_000), (8000, 44_100)] {
        let both = |rate: u32| {
            Array2::from_shape_fn((2, rate as usize / 2), |(l, n)| tone(rate, 0.0011 * l as f64)(n))
        };
        let found = Recording::new("tones", from, both(from)).unwrap().resampled(to).unwrap();
        assert_eq!((found.rate(), found.microphones()), (to, 2));
        assert!(found.len().abs_diff(to as usize / 2) <= 1, "{}", found.len());
        let samples = found.len().min(to as usize / 2);
        let expected = both(to);
        // The ends are filters that reach beyond the recording.
        for n in samples / 5..4 * samples / 5 {
            for l in 0..2 {
                let error = (found.channels()[[l, n]] - expected[[l, n]]).abs();
                assert!(error < 1e-4, "{from} to {to}: {error} at {n}");
            }
        }
    }
    // What lies above half the new rate is gone, not folded.
    let high =
        Array2::from_shape_fn((1, 16_000), |(_, n)| (TAU * 5000.0 * n as f64 / 16_000.0).sin());
    let found = Recording::new("high", 16_000, high).unwrap().resampled(8000).unwrap();
    let inside = found.channels().slice(ndarray::s![0, 1000..7000]).mapv(|x| x * x).mean().unwrap();
    assert!(inside < 1e-6, "{inside}");
    assert!(matches!(found.resampled(0), Err(Error::Parameter { .. })));
}

#[cfg(feature = "io")]
mod files {
    use gaspard::io::wav::{self, Encoding};

    use super::*;

    fn recording(microphones: usize, samples: usize) -> Recording {
        let all = noise(9, microphones * samples).into_shape_with_order((microphones, samples));
        Recording::new("noise", 44_100, all.unwrap()).unwrap()
    }

    #[test]
    fn all_encodings_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.wav");
        for (encoding, step) in [
            (Encoding::Integer(16), 2.0_f64.powi(-15)),
            (Encoding::Integer(24), 2.0_f64.powi(-23)),
            (Encoding::Integer(32), 2.0_f64.powi(-31)),
            (Encoding::Float, 2.0_f64.powi(-24)),
        ] {
            for microphones in [1, 2, 5] {
                let sound = recording(microphones, 333);
                wav::write(&path, &sound, encoding).unwrap();
                let back = wav::read(&path).unwrap();
                assert_eq!((back.rate(), back.channels().dim()), (44_100, (microphones, 333)));
                let error = (&back.channels() - &sound.channels()).mapv(f64::abs);
                let most = error.iter().copied().fold(0.0, f64::max);
                assert!(most <= 0.51 * step, "{encoding:?}: {most}");
                // What was read is written as it was.
                wav::write(&path, &back, encoding).unwrap();
                assert_eq!(wav::read(&path).unwrap(), back);
            }
        }
        // The ends of the range.
        let ends = Recording::new("ends", 8000, array![[1.0, -1.0]]).unwrap();
        wav::write(&path, &ends, Encoding::Integer(16)).unwrap();
        let back = wav::read(&path).unwrap();
        assert_eq!(back.channels(), array![[1.0 - 2.0_f64.powi(-15), -1.0]]);
    }

    #[test]
    fn bytes_of_eight_bits_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes.wav");
        let samples = [0_u8, 128, 255];
        let mut file = b"RIFF".to_vec();
        file.extend(40_u32.to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16_u32.to_le_bytes());
        file.extend([1, 0, 1, 0]);
        file.extend(8000_u32.to_le_bytes());
        file.extend(8000_u32.to_le_bytes());
        file.extend([1, 0, 8, 0]);
        file.extend(b"data");
        file.extend(3_u32.to_le_bytes());
        file.extend(samples);
        file.push(0);
        std::fs::write(&path, file).unwrap();
        let found = wav::read(&path).unwrap();
        assert_eq!(found.channels(), array![[-1.0, 0.0, 127.0 / 128.0]]);
    }

    #[test]
    fn several_files_are_one_recording() {
        let folder = tempfile::tempdir().unwrap();
        let sound = recording(3, 50);
        let paths = ["one.wav", "two.wav"].map(|name| folder.path().join(name));
        for (path, rows) in paths.iter().zip([0..1, 1..3]) {
            let part = sound.channels().slice(ndarray::s![rows, ..]).to_owned();
            let part = Recording::new("part", 44_100, part).unwrap();
            wav::write(path, &part, Encoding::Float).unwrap();
        }
        let back = wav::read_all(&paths).unwrap();
        let error = (&back.channels() - &sound.channels()).mapv(f64::abs).sum();
        assert!(error < 1e-5, "{error}");
        let longer = recording(1, 51);
        wav::write(&paths[1], &longer, Encoding::Float).unwrap();
        let error = wav::read_all(&paths).unwrap_err().to_string();
        assert!(error.contains("two.wav: expected 50 samples, found 51 samples"), "{error}");
        let slower = Recording::new("slower", 8000, Array2::zeros((1, 50))).unwrap();
        wav::write(&paths[1], &slower, Encoding::Float).unwrap();
        let error = wav::read_all(&paths).unwrap_err().to_string();
        assert!(error.contains("expected 44100 Hz, found 8000 Hz"), "{error}");
        assert!(wav::read_all(&[""; 0]).is_err());
    }

    #[test]
    fn files_that_cannot_be_used_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.wav");
        assert!(matches!(wav::read(&path), Err(Error::File { .. })));
        assert!(wav::read(folder.path()).is_err());
        for content in [&b""[..], b"RIFF", b"not a sound at all, but a text that is long enough"] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(wav::read(&path), Err(Error::File { .. })), "{content:?}");
        }
        wav::write(&path, &recording(2, 100), Encoding::Integer(16)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [20, 43, 44, 45, 100, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(wav::read(&path), Err(Error::File { .. })), "{length}");
        }
        let empty = &whole[..44];
        let mut empty = empty.to_vec();
        empty[40..44].fill(0);
        std::fs::write(&path, empty).unwrap();
        assert!(matches!(wav::read(&path), Err(Error::Data { .. } | Error::File { .. })));
        let mut broken = array![[0.5, 0.25]];
        wav::write(&path, &Recording::new("r", 8000, broken.clone()).unwrap(), Encoding::Float)
            .unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = wav::read(&path).unwrap_err().to_string();
        assert!(error.contains("sample 1 of microphone 1 is NaN"), "{error}");
        broken[[0, 0]] = 1.5;
        let loud = Recording::new("loud", 8000, broken).unwrap();
        let error = wav::write(&path, &loud, Encoding::Integer(16)).unwrap_err();
        assert!(matches!(error, Error::Data { .. }));
        assert!(wav::write(&path, &loud, Encoding::Float).is_ok());
        assert!(matches!(
            wav::write(&path, &loud, Encoding::Integer(8)),
            Err(Error::Parameter { .. })
        ));
    }
}
